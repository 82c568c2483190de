# program: waits -static
# arguments: sleep
# interrupt: vCont;c:
# expect: received signal SIGINT
# expect: #\d+ .*main
# expect: Killed
break main
continue
delete
set debug remote 1
continue
set debug remote 0
bt
kill
echo Killed\n
