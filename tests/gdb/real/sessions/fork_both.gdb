# program: forks -static
# expect: Catchpoint 1 \(forked process
# expect: New inferior 2
# expect: Inferior 2 \(process 3\) exited with code 03
# expect: in_parent
# expect: again 5
set detach-on-fork off
set schedule-multiple on
catch fork
continue
break in_parent
continue
inferior 1
continue
info inferiors
delete
detach
