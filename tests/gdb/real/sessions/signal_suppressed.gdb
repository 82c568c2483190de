# program: signals -static
# altered
# expect: received signal SIGUSR1
# expect: received signal SIGUSR2
# expect: received signal SIGSEGV
# expect: seen 2$
continue
signal 0
continue
continue
