// What the run time of Go does with its threads: preemption by signals, the collector, the poller, processes.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

type node struct{ l, r *node }

func tree(d int) *node {
	if d == 0 {
		return &node{}
	}
	return &node{tree(d - 1), tree(d - 1)}
}
func (n *node) count() int {
	if n.l == nil {
		return 1
	}
	return 1 + n.l.count() + n.r.count()
}

func sieve(n int) []int {
	c := make(chan int)
	go func() {
		for i := 2; ; i++ {
			c <- i
		}
	}()
	var out []int
	for i := 0; i < n; i++ {
		p := <-c
		out = append(out, p)
		d := make(chan int)
		go func(in, out chan int) {
			for {
				if x := <-in; x%p != 0 {
					out <- x
				}
			}
		}(c, d)
		c = d
	}
	return out
}

// Lines through a server, a goroutine for each end.
func echo(at string) {
	l, err := net.Listen("tcp", at)
	if err != nil {
		panic(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); io.Copy(c, c) }()
		}
	}()
	var wg sync.WaitGroup
	var lines [20]string
	for i := range lines {
		wg.Add(1)
		go func(i int) {
			defer wg.Done()
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				panic(err)
			}
			defer c.Close()
			fmt.Fprintf(c, "line %d\n", i)
			lines[i], _ = bufio.NewReader(c).ReadString('\n')
		}(i)
	}
	wg.Wait()
	l.Close()
	fmt.Printf("echo %q\n", lines)
}

func main() {
	runtime.GOMAXPROCS(4)
	fmt.Println("sieve", sieve(100)[99])
	// spinning goroutines that only asynchronous preemption stops
	var stop int32
	var spun int64
	var wg sync.WaitGroup
	for i := 0; i < 6; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			n := int64(0)
			for atomic.LoadInt32(&stop) == 0 {
				n++
			}
			atomic.AddInt64(&spun, n)
		}()
	}
	pure := make(chan int)
	go func() {
		s := 0
		for i := 0; i < 30000000; i++ {
			s += i & 3
		}
		pure <- s
	}()
	time.Sleep(5 * time.Millisecond)
	runtime.GC()
	fmt.Println("pure", <-pure)
	atomic.StoreInt32(&stop, 1)
	wg.Wait()
	fmt.Println("spun", spun > 0)
	// garbage from several
	debug.SetGCPercent(20)
	total := int64(0)
	for g := 0; g < 4; g++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for k := 0; k < 20; k++ {
				atomic.AddInt64(&total, int64(tree(12).count()))
			}
		}()
	}
	wg.Wait()
	var ms runtime.MemStats
	runtime.ReadMemStats(&ms)
	fmt.Println("trees", total, ms.NumGC > 2)
	// mutexes, condition variables, once, maps
	var mu sync.RWMutex
	cond := sync.NewCond(&mu)
	m := map[int]int{}
	for g := 0; g < 8; g++ {
		wg.Add(1)
		go func(g int) {
			defer wg.Done()
			for k := 0; k < 500; k++ {
				mu.Lock()
				m[k%50] += g
				if k == 499 {
					cond.Broadcast()
				}
				mu.Unlock()
				mu.RLock()
				_ = m[k%50]
				mu.RUnlock()
			}
		}(g)
	}
	mu.Lock()
	for m[49] < 28*10 {
		cond.Wait()
	}
	mu.Unlock()
	wg.Wait()
	s := 0
	for _, v := range m {
		s += v
	}
	fmt.Println("map", s)
	for _, at := range []string{"127.0.0.1:0", "[::1]:0"} {
		echo(at)
	}
	c, _ := net.Pipe()
	c.SetReadDeadline(time.Now().Add(time.Millisecond))
	_, err := c.Read(make([]byte, 1))
	fmt.Println(errors.Is(err, os.ErrDeadlineExceeded))
	// signals, processes
	sc := make(chan os.Signal, 1)
	signal.Notify(sc, syscall.SIGUSR1)
	syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	fmt.Println(<-sc)
	o, err := exec.Command("sh", "-c", "cat; echo err >&2; exit 3").CombinedOutput()
	fmt.Printf("%q %v\n", o, err)
	cctx, cancel2 := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel2()
	fmt.Println(exec.CommandContext(cctx, "sleep", "100").Run())
	// a nil pointer is a panic
	func() {
		defer func() { fmt.Println(recover()) }()
		var n *node
		fmt.Println(n.l)
	}()
	func() {
		defer func() { fmt.Println(recover()) }()
		var z int
		fmt.Println(1 / z)
	}()
	// deep stacks grow
	var f func(int) int
	f = func(n int) int {
		var a [64]int
		if n == 0 {
			return 0
		}
		a[n%64] = n
		return f(n-1) + a[n%64] - n + 1
	}
	fmt.Println("deep", f(20000))
	// threads
	var ids sync.Map
	for i := 0; i < 30; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			runtime.LockOSThread()
			ids.Store(syscall.Gettid(), 1)
			time.Sleep(time.Millisecond)
		}()
	}
	wg.Wait()
	n := 0
	ids.Range(func(k, v any) bool { n++; return true })
	fmt.Println("threads", n)
	t := time.NewTicker(time.Millisecond)
	for i := 0; i < 5; i++ {
		<-t.C
	}
	t.Stop()
	defer fmt.Println("never: exit runs no deferred call")
	os.Exit(7)
}
