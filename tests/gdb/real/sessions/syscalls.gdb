# program: basic -static
# undisturbed
# expect: Catchpoint 1 \(call to syscall write\)
# expect: Catchpoint 1 \(returned from syscall write\)
# expect: exited with code 07
catch syscall write
continue
continue
continue
