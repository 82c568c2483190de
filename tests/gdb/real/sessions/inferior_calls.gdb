# program: basic -static
# altered
# expect: Breakpoint 1, scale
# expect: \$1 = 40
# expect: \$2 = 10
# expect: \$3 = 123
# expect: exited with code 07
# expect: total 45 counter 123 scaled 5.0 xxxxxxxxy gdb
break scale
continue
delete
print twice(20)
print scale(2.0, &pairs[2]) + 3
print (counter = 123)
print (char*)strcpy(text, "changedby gdb")
continue
