# program: signals -static
# undisturbed
# expect: received signal SIGUSR1
# expect: si_signo = 10
# expect: received signal SIGUSR2
# expect: received signal SIGSEGV
# expect: main \(\)
# expect: _sigfault = \{si_addr = 0x10
# expect: terminated with signal SIGSEGV
# expect: seen 2
continue
print $_siginfo
continue
continue
bt
print $_siginfo._sifields
continue
