# program: threads -static
# undisturbed
# expect: hit Breakpoint 1
# expect: Thread .*"(first|second)"
# expect: worker
# expect: exited normally|process \d+\) exited
break 19
continue
info threads
thread apply all bt
delete
continue
