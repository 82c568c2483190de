# program: sleeper
# clock
break both_are_there
continue
set scheduler-locking on
thread 2
break tick if number == 2
continue
# expect: Thread 2 "sleeper" hit Breakpoint 2, tick \(number=2\)
info threads
# expect: 1 +Thread 2\.2 "sleeper" both_are_there
# expect: \* 2 +Thread 2\.3 "sleeper" tick
set scheduler-locking off
continue
# expect: exited normally
# expect: tick 2
