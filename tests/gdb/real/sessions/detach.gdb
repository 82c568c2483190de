# program: basic -static
# undisturbed
# expect: Hardware watchpoint 2: counter
# expect: \[Inferior 1 \(process 2\) detached\]
# expect: total 45
break fill
continue
watch counter
continue
detach
