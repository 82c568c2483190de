# program: shared -static
# undisturbed
# expect: Hardware watchpoint 2: -location one\[4\]
# expect: Hardware watchpoint 3: -location buffer\[18\]
# expect: Old value = 0
# expect: New value = 7
# expect: New value = 1717920867
# expect: Hardware watchpoint 5: -location
# expect: New value = "\\377\\377\\377"
# expect: Hardware read watchpoint 6: -location one\[6\]
# expect: Hardware watchpoint 3: -location buffer\[18\]
# expect: New value = 100 'd'
# expect: Hardware watchpoint 4: -location nameless\[2\]
# expect: New value = 4
# expect: Hardware watchpoint 2: -location one\[4\]
# expect: New value = 99
# expect: New value = 8
# expect: exited with code 014
break Ready
continue
up
watch -location one[4]
watch -location buffer[18]
watch -location nameless[2]
watch -location *(char(*)[3])((char*)one+101)
rwatch -location one[6]
continue
continue
continue
continue
continue
continue
continue
continue
continue
