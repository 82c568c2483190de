# program: basic -static
# altered
# expect: Breakpoint 1, scale
# expect: \$1 = 40
# expect: \[Inferior 1 \(process 2\) detached\]
# expect: total 45 counter 45 scaled 5.0 xxxxxxxx read-only
break scale
continue
print twice(20)
detach
