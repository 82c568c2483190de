# program: basic -static
# undisturbed
# expect: Breakpoint 1, main
# expect: Breakpoint 2, twice \(value=21\)
# expect: #1 .*main
# expect: fctrl +0x37f
# expect: Value returned is \$\d+ = 42
# expect: \$\d+ = 42
# expect: Old value = 1
# expect: New value = 43
# expect: \$\d+ = 43
# expect: \{first = 2, second = 2\.5\}
# expect: exited with code 07
# expect: total 45 counter 45 scaled 5.0 xxxxxxxx read-only
break main
continue
break twice
continue
backtrace
info registers
info registers fctrl
finish
next
print local
next
watch counter
continue
print counter
print pairs[1]
delete
continue
