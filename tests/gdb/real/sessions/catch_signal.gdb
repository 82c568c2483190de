# program: ignored -static
# undisturbed
# expect: Catchpoint 1 \(signal SIGUSR2\)
# expect: Catchpoint 1 \(signal SIGUSR2\),
# expect: exited normally
# expect: caught 12 value 77
handle all nostop noprint pass
catch signal SIGUSR2
continue
continue
