# program: threads -static
# world: scheduling=chaos
# undisturbed
# expect: hit Breakpoint 1
# expect: Hardware watchpoint 2: shared
# expect: exited normally
# expect: shared 3000 sum 30
set style enabled off
break 20
continue
info threads
stepi
stepi
watch shared
continue
continue
continue
delete
python
for i in range(400): gdb.execute("stepi", to_string=True)
end
continue
