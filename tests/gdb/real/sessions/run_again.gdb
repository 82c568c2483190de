# program: again -static
# arguments: one two
# altered
# expect: Breakpoint 1, main \(argc=3
# expect: exited with code 03
# expect: Breakpoint 1, main \(argc=3
# expect: exited with code 03
# expect: Temporary breakpoint 2, main \(argc=4
# expect: exited with code 04
# expect: Breakpoint 3, main \(argc=4
# expect: killed\)
# expect: Breakpoint 3, main \(argc=4
# expect: exited with code 04
# expect: run 0 with 3 in /, color none, home set, last two, read nothing
# expect: run 1 with 3 in /, color none, home set, last two
# expect: run 2 with 4 in /tmp, color red, home unset, last c d
# expect: run 3 with 4 in /tmp, color blue, home set, last c d
break main
continue
continue
run
continue
set args a b "c d"
set cwd /tmp
set environment COLOR red
unset environment HOME
delete 1
start
continue
break main
set environment COLOR blue
set environment HOME /root
run
kill
echo killed)\n
run
continue
