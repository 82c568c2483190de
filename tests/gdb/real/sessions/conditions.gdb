# program: basic -static
# undisturbed
# expect: Breakpoint 1, fill
# expect: \$1 = 7
# expect: exited with code 07
break 28 if i == 7
continue
print i
delete
continue
