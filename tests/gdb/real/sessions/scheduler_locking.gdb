# program: counters -static
# altered
# expect: hit Breakpoint 2
# expect: alone True
# expect: together True
# expect: exited normally
# expect: all over
break main
continue
break tick
continue
python
def counts(): return [int(gdb.parse_and_eval("counts[%d]" % i)) for i in range(3)]
number = int(gdb.parse_and_eval("number"))
gdb.execute("set scheduler-locking on")
before = counts()
for _ in range(5): gdb.execute("continue", to_string=True)
after = counts()
print("alone", after[number] == before[number] + 5 and [a for i, a in enumerate(after) if i != number] ==
      [b for i, b in enumerate(before) if i != number])
gdb.execute("set scheduler-locking off")
while counts()[0] == after[0] or counts()[3 - number] == after[3 - number]:
    gdb.execute("continue", to_string=True)
print("together", True)
gdb.execute("delete")
gdb.execute("set var over = 1")
end
continue
