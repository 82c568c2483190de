# program: far
# altered
# expect: Breakpoint 1, ready
# expect: \$1 = 1
# expect: \$2 = 42
# expect: beside 0x7070707 text 7 untouched 42
break ready
continue
delete
print ready()
print untouched[5] = 42
continue
