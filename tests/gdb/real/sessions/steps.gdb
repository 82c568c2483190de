# program: basic -static
# undisturbed
# expect: in fill no more
# expect: stepped 2000
# expect: exited with code 07
set style enabled off
break main
continue
tbreak fill
continue
python
lines = 0
while gdb.selected_frame().name() == "fill":
    gdb.execute("next", to_string=True)
    lines += 1
print("in fill no more", lines)
for i in range(2000): gdb.execute("stepi", to_string=True)
print("stepped", 2000)
end
continue
