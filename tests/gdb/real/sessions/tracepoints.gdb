# program: traced -static
# undisturbed
# expect: Tracepoint 1 at
# expect: Trace stopped by a tstop command
# expect: Collected 3 trace frames
# expect: Found trace frame 0, tracepoint 1
# expect: Data collected at tracepoint 1, trace frame 0
# expect: rip +0x[0-9a-f]+ .*collect_here
# expect: product = 2
# expect: total = 0
# expect: points = \{\{x = 1, y = 2\}
# expect: value 0 0
# expect: Found trace frame 1
# expect: product = 12
# expect: value 1 2
# expect: Found trace frame 2
# expect: value 3 44
# expect: <unavailable>|Cannot access memory
# expect: failed to find|No trace frame|Target failed to find
# expect: now 100
# expect: exited normally
# expect: total 100 tracing
trace 13 if index != 2
actions
collect $regs, $locals, $args, total
collect points
end
break 19
tstart
continue
tstop
tstatus
tfind start
tdump
printf "value %d %d\n", index, total
tfind
tdump
printf "value %d %d\n", index, total
tfind
printf "value %d %d\n", index, total
python
try:
    gdb.execute("print text")
except gdb.error as error:
    print(error)
try:
    gdb.execute("tfind")
except gdb.error as error:
    print(error)
end
tfind none
printf "now %d\n", total
continue
