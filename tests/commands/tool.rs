//! A command for tests: reads a program of one action per line and does it. Compiled for wasm32-wasip1 by the tests.

use std::fs;
use std::io::{Read, Write};
use std::process::exit;

static mut RUNS: u32 = 0;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let program = fs::read_to_string(&args[1]).expect("the program is readable");
    for line in program.lines().filter(|line| !line.is_empty()) {
        let (action, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (first, second) = rest.split_once(' ').unwrap_or((rest, ""));
        match action {
            "print" => println!("{rest}"),
            "complain" => eprintln!("{rest}"),
            "args" => println!("{args:?}"),
            "env" => println!("{:?}", std::env::var(first)),
            "stdin" => {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text).expect("readable");
                println!("{text}");
            }
            "read" => tell(action, first, fs::read_to_string(first)),
            "write" => tell(action, first, fs::write(first, second)),
            "fill" => {
                let mut file = fs::File::create(first).expect("made");
                let block = vec![b'x'; 1 << 20];
                for _ in 0..second.parse::<u32>().expect("a number") {
                    if let Err(error) = file.write_all(&block) {
                        println!("{error}");
                        exit(28);
                    }
                }
            }
            "list" => {
                let entries = fs::read_dir(first).expect("listed");
                let names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name()).collect();
                println!("{names:?}");
            }
            "mkdir" => tell(action, first, fs::create_dir(first)),
            "remove" => tell(action, first, fs::remove_file(first)),
            "rename" => tell(action, first, fs::rename(first, second)),
            "link" => tell(action, first, fs::hard_link(first, second)),
            "open" => {
                let mut files = Vec::new();
                for _ in 0..second.parse::<u32>().expect("a number") {
                    match fs::File::open(first) {
                        Ok(file) => files.push(file),
                        Err(error) => {
                            println!("{} open, then {error}", files.len());
                            break;
                        }
                    }
                }
            }
            "time" => println!("{:?}", std::time::SystemTime::now()),
            "random" => println!("{:?}", std::collections::hash_map::RandomState::new()),
            "count" => unsafe {
                RUNS += 1;
                println!("run {}", *(&raw const RUNS));
            },
            "exit" => exit(first.parse().expect("a number")),
            "panic" => panic!("{rest}"),
            "spin" => loop {
                std::hint::black_box(0);
            },
            "sleep" => std::thread::sleep(std::time::Duration::from_millis(first.parse().expect("a number"))),
            "grow" => {
                let mut blocks = Vec::new();
                for _ in 0..first.parse::<u32>().expect("a number") {
                    blocks.push(std::hint::black_box(vec![1u8; 1 << 20]));
                }
                println!("{} MiB", blocks.len());
            }
            "try-grow" => {
                let mut blocks: Vec<u8> = Vec::new();
                if blocks.try_reserve(first.parse::<usize>().expect("a number") << 20).is_err() {
                    exit(12);
                }
            }
            "flood" => (0..first.parse::<u32>().expect("a number")).for_each(|_| println!("{}", "x".repeat(1000))),
            other => panic!("unknown action {other}"),
        }
    }
}

fn tell<T: std::fmt::Debug>(action: &str, what: &str, result: std::io::Result<T>) {
    match result {
        Ok(value) => println!("{action} {what}: {value:?}"),
        Err(error) => println!("{action} {what}: {:?}", error.kind()),
    }
}
