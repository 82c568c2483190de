# program: ignored -static
# altered
# expect: received signal SIGUSR2
# expect: sival_int = 99
# expect: exited normally
# expect: caught 12 value 99
handle SIGUSR1 nostop noprint pass
continue
set var $_siginfo._sifields._rt.si_sigval.sival_int = 99
print $_siginfo._sifields._rt
continue
