// What Rust's library does with threads, sockets and processes.
use std::any::Any;
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::*};
use std::sync::{mpsc, Arc, Barrier, Condvar, Mutex, Once, RwLock};
use std::thread;
use std::time::Duration;

thread_local! { static OWN: Cell<u32> = Cell::new(1); }
static START: Once = Once::new();

struct Tells(mpsc::Sender<&'static str>);
impl Drop for Tells {
    fn drop(&mut self) {
        self.0.send("dropped").unwrap();
    }
}

fn step(x: u64) -> u64 {
    x.wrapping_mul(6364136223846793005).wrapping_add(1)
}

fn locks() {
    let (sender, receiver) = mpsc::channel();
    let handles: Vec<_> = (0..8u64)
        .map(|i| {
            let sender = sender.clone();
            thread::spawn(move || sender.send((i, (0..10000).map(|x| x * i % 11).sum::<u64>())).unwrap())
        })
        .collect();
    drop(sender);
    println!("{:?}", receiver.iter().collect::<BTreeMap<_, _>>());
    handles.into_iter().for_each(|h| h.join().unwrap());

    let shared = AtomicU64::new(1);
    thread::scope(|s| {
        for _ in 0..6 {
            s.spawn(|| {
                for _ in 0..2000 {
                    while shared.fetch_update(AcqRel, Relaxed, |v| Some(step(v))).is_err() {}
                }
            });
        }
    });
    println!("atomics {}", shared.load(SeqCst) == (0..12000).fold(1, |x, _| step(x)));

    let turn = Arc::new((Mutex::new(0), Condvar::new()));
    let handles: Vec<_> = (0..10)
        .map(|i| {
            let turn = turn.clone();
            thread::spawn(move || {
                let mut at = turn.1.wait_while(turn.0.lock().unwrap(), |at| *at != i).unwrap();
                *at += 1;
                turn.1.notify_all();
            })
        })
        .collect();
    handles.into_iter().for_each(|h| h.join().unwrap());
    let (at, late) = turn.1.wait_timeout(turn.0.lock().unwrap(), Duration::from_millis(2)).unwrap();
    println!("turns {} {}", *at, late.timed_out());

    let (barrier, leaders) = (Barrier::new(5), AtomicUsize::new(0));
    thread::scope(|s| {
        for _ in 0..5 {
            s.spawn(|| {
                for _ in 0..20 {
                    leaders.fetch_add(barrier.wait().is_leader() as usize, SeqCst);
                }
            });
        }
    });
    println!("leaders {}", leaders.load(SeqCst));

    let map = RwLock::new(HashMap::new());
    thread::scope(|s| {
        for i in 0..4 {
            let map = &map;
            s.spawn(move || {
                for k in 0..200 {
                    *map.write().unwrap().entry(k % 10).or_insert(0) += i;
                    assert!(!map.read().unwrap().is_empty());
                }
            });
        }
    });
    println!("map {}", map.read().unwrap().values().sum::<i32>());
}

fn ends() {
    let parked = thread::spawn(|| {
        thread::park();
        OWN.with(|own| own.replace(own.get() + 1) + own.get())
    });
    parked.thread().unpark();
    println!("{} {}", parked.join().unwrap(), OWN.with(|own| own.get()));
    (0..3).for_each(|_| START.call_once(|| println!("once")));

    let (sender, receiver) = mpsc::sync_channel(2);
    let handle = thread::spawn(move || (0..50).for_each(|i| sender.send(i).unwrap()));
    println!("{}", receiver.iter().sum::<i32>());
    handle.join().unwrap();
    println!("{:?}", receiver.recv_timeout(Duration::from_millis(1)));

    std::panic::set_hook(Box::new(|_| {}));
    let (sender, receiver) = mpsc::channel();
    let fails = thread::Builder::new().name("fails".into()).stack_size(1 << 16).spawn(move || {
        let _tells = Tells(sender);
        panic!("x")
    });
    let end: Result<(), Box<dyn Any + Send>> = fails.unwrap().join();
    println!("{:?} {:?}", end.unwrap_err().downcast::<&str>().unwrap(), receiver.recv());
}

fn talks() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        for stream in listener.incoming().take(8).map(Result::unwrap) {
            thread::spawn(move || {
                let mut line = String::new();
                BufReader::new(&stream).read_line(&mut line).unwrap();
                (&stream).write_all(line.to_uppercase().as_bytes()).unwrap();
            });
        }
    });
    let clients: Vec<_> = (0..8)
        .map(|i| {
            thread::spawn(move || {
                let (mut stream, mut back) = (TcpStream::connect(at).unwrap(), String::new());
                writeln!(stream, "hello {i}").unwrap();
                stream.read_to_string(&mut back).unwrap();
                back
            })
        })
        .collect();
    println!("{:?}", clients.into_iter().map(|c| c.join().unwrap()).collect::<Vec<_>>());
    server.join().unwrap();

    let quiet = UdpSocket::bind("127.0.0.1:0").unwrap();
    quiet.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    println!("{:?}", quiet.recv(&mut [0; 9]).map_err(|e| e.kind()));

    let mut tr = Command::new("tr").args(["a-z", "A-Z"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    tr.stdin.take().unwrap().write_all(b"through a process").unwrap();
    println!("{:?}", String::from_utf8(tr.wait_with_output().unwrap().stdout));
    println!("{:?}", Command::new("sh").args(["-c", "kill -9 $$"]).status());
    println!("{:?}", Command::new("/no/such").status().map_err(|e| e.kind()));
}

fn main() {
    locks();
    ends();
    talks();
    std::process::exit(9)
}
