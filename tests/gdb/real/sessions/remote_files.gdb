# program: basic
# remote
# undisturbed
# expect: Breakpoint 1, main
# expect: libc\.so\.6
# expect: \[stack\]
# expect: AT_ENTRY
# expect: exited with code 07
# expect: total 45
break main
continue
info sharedlibrary
info proc mappings
info auxv
continue
