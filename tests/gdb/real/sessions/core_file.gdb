# program: threads -static
# undisturbed
# expect: hit Breakpoint 1
# expect: Saved corefile
# expect: worker \(argument
# expect: threads 3
# expect: shared is 2000
# expect: vectors True
# expect: exited normally
break 19
continue
python
import os, subprocess, tempfile
core = tempfile.mktemp()
program = gdb.current_progspace().filename
gdb.execute("generate-core-file " + core)
told = subprocess.run(["gdb", "-nx", "-q", "-batch", program, core, "-ex", "bt", "-ex", "info threads",
                       "-ex", "print shared", "-ex", "print $ymm0"], capture_output=True, text=True).stdout
os.remove(core)
print(told)
print("threads", sum(line[:4].strip(" *").isdigit() for line in told.splitlines()))
print("shared is", told[told.index("$1 = "):].split()[2])
print("vectors", "v8_int32" in told)
end
delete
continue
