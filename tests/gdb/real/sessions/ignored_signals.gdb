# program: ignored -static
# undisturbed
# expect: received signal SIGUSR1
# expect: si_signo = 10
# expect: received signal SIGUSR1
# expect: received signal SIGUSR2
# expect: sival_int = 77
# expect: exited normally
# expect: caught 12 value 77
handle SIGUSR1 stop print
continue
print $_siginfo
continue
handle SIGUSR1 nostop noprint pass
continue
print $_siginfo._sifields._rt
delete
continue
