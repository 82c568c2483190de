# program: forks -static
# undisturbed
# expect: Detaching after fork
# expect: Breakpoint 1, in_parent
# expect: exited normally
# expect: child 3 parent 4
# expect: executed once
# expect: again 5
break in_parent
continue
continue
