# program: far -static
# undisturbed
# expect: Breakpoint 1, ready
# expect: \$1 = \{counter = 1, beside = 0, text = '\\000' <repeats 15 times>\}
# expect: 0x700000000005:\s+0
# expect: Hardware watchpoint 2: -location far->counter
# expect: Hardware access \(read/write\) watchpoint 3: -location far->text\[3\]
# expect: Old value = 1
# expect: New value = 2
# expect: Old value = 2
# expect: New value = 117901063
# expect: exited with code 011
# expect: beside 0x7070707 text 7 untouched 0
break ready
continue
print *far
x/1db untouched + 5
watch -location far->counter
awatch -location far->text[3]
continue
continue
python
while gdb.selected_inferior().pid != 0:
    gdb.execute("continue")
end
