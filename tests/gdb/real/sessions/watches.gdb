# program: basic -static
# undisturbed
# expect: Hardware watchpoint 2: counter
# expect: Hardware read watchpoint 3: pairs
# expect: Hardware access \(read/write\) watchpoint 4: text
# expect: New value = 45
# expect: Hardware read watchpoint 3
# expect: New value = "xxxxxxxx"
# expect: hits 12
# expect: exited with code 07
break main
continue
watch counter
rwatch pairs[1].second
awatch text
python
hits = 0
while hits < 12:
    gdb.execute("continue")
    hits += 1
end
continue
continue
continue
continue
python print("hits", hits)
delete
continue
