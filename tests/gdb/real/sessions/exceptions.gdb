# program: except
# undisturbed
# expect: Catchpoint 1 \(exception thrown\)
# expect: Largest<double>
# expect: Catchpoint 2 \(exception caught\)
# expect: exited normally
# expect: largest 9
# expect: caught nothing there
catch throw
catch catch
continue
bt
continue
continue
