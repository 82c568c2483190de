# program: again -static
# arguments: read /tmp/told
# altered
# expect: Breakpoint 1, main
# expect: the same True
# expect: No such file
# expect: exited with code 03
# expect: runs: b'\.'
# expect: read told
break main
continue
python
import os, tempfile
there = tempfile.mktemp()
open(there, "w").write("told by gdb" * 40000)
back = tempfile.mktemp()
gdb.execute("remote put %s /tmp/told" % there)
gdb.execute("remote get /tmp/told " + back)
print("the same", open(there).read() == open(back).read())
gdb.execute("remote put %s /tmp/gone" % there)
gdb.execute("remote delete /tmp/gone")
try:
    gdb.execute("remote get /tmp/gone " + back)
except gdb.error as error:
    print(error)
gdb.execute("break 30")
gdb.execute("continue")
gdb.execute("remote get /tmp/runs " + back)
seen = open(back, "rb").read()
os.remove(there)
os.remove(back)
gdb.execute("continue")
print("runs:", seen)
end
