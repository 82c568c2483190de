# program: forks -static
# expect: Breakpoint 1, in_child \(value=2\)
# expect: exited with code 03
# expect: child 3 parent 4
set follow-fork-mode child
break in_child
continue
backtrace
continue
