# program: threads
# undisturbed
# expect: hit Breakpoint 1
# expect: own = (10|20)
# expect: exited normally|exited with code 00
# expect: shared 3000 sum 30
break 20
continue
printf "own = %d\n", own
delete
continue
