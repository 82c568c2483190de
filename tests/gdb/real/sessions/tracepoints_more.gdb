# program: traced -static
# undisturbed
# expect: Trace stopped by tracepoint 1
# expect: Collected 12 trace frames
# expect: step frames 9
# expect: seen 3
# expect: \$seen +0 +3
# expect: saved b'.x7fTRACE0.n' True
# expect: exited normally
tvariable $seen = 0
trace collect_here
actions
teval $seen = $seen + 1
while-stepping 3
collect $regs, total
end
end
passcount 3
break 19
tstart
continue
tstatus
python
frames = 0
gdb.execute("tfind start", to_string=True)
while int(gdb.parse_and_eval("$trace_frame")) != -1:
    frames += 1
    try:
        gdb.execute("tfind", to_string=True)
    except gdb.error:
        break
print("step frames", frames - 3)
gdb.execute("tfind none", to_string=True)
print("seen", gdb.parse_and_eval("$seen"))
end
info tvariables
python
import os, tempfile
saved = tempfile.mktemp()
gdb.execute("tsave " + saved, to_string=True)
print("saved", open(saved, "rb").read(8), os.path.getsize(saved) > 9 * 800)
os.remove(saved)
end
continue
