# program: again -static
# altered
# expect: exited with code 01
# expect: Running ".*" on the remote target failed
# expect: Breakpoint 1, main \(argc=1
# expect: exited with code 01
# expect: run 0 with 1
# expect: run 1 with 1
continue
break main
set remote exec-file /nowhere
python
try:
    gdb.execute("run")
except gdb.error as error:
    print(error)
end
set remote exec-file
run
continue
