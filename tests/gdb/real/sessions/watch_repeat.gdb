# program: repeat -static
# undisturbed
# expect: Hardware watchpoint 2: -location buffer\[5000\]
# expect: New value = 97 'a'
# expect: \$1 = 5001
# expect: \$2 = 4999
# expect: Hardware read watchpoint 3: -location other\[7000\]
# expect: \$3 = 6999
# expect: Hardware watchpoint 2: -location buffer\[5000\]
# expect: \$4 = 4999
# expect: Hardware access \(read/write\) watchpoint 4: -location buffer\[12000\]
# expect: \$5 = 12001
# expect: exited with code 011
break Ready
continue
watch -location buffer[5000]
continue
print $rdi - (long)&buffer
print $rcx
rwatch -location other[7000]
continue
print $rsi - (long)&other
continue
print $rdi - (long)&buffer
delete
awatch -location buffer[12000]
continue
print $rdi - (long)&buffer
delete
continue
