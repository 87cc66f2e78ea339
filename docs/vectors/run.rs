// rustc run.rs && ./run framing-1.tsv: holds a parser of BrowserChannel bodies against the vectors.
use std::{env, fs, process, str};

/// Put your own here: feed pushes payloads, and fails where the body is none; eof fails inside a chunk.
#[derive(Default)]
struct Parser {
    left: Vec<u8>,
    marked: bool,
}

fn blank(byte: &u8) -> bool {
    b" \t\r\n".contains(byte)
}

impl Parser {
    fn feed(&mut self, data: &[u8], payloads: &mut Vec<String>) -> Result<(), &'static str> {
        self.left.extend(data);
        if !self.marked {
            if self.left.len() < 3 && b"\xef\xbb\xbf".starts_with(&self.left) {
                return Ok(());
            }
            self.left = self.left.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.left).to_vec();
            self.marked = true;
        }
        loop {
            let first = self.left.iter().take_while(|byte| blank(byte)).count();
            let digits = self.left[first..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            let rest = &self.left[first + digits..];
            let gap = rest.iter().take_while(|byte| b" \t\r".contains(byte)).count();
            match rest.get(gap) {
                None => return Ok(()),
                Some(b'\n') if digits > 0 => {}
                _ => return Err("no length"),
            }
            let length = str::from_utf8(&self.left[first..first + digits]).unwrap().parse::<usize>();
            let mut units = length.ok().filter(|units| *units <= 1 << 24).ok_or("a chunk that long is none")?;
            let body = &rest[gap + 1..];
            // What is valid so far: a character may be cut in two at the end, and nowhere else.
            let text = match str::from_utf8(body) {
                Ok(text) => text,
                Err(error) => str::from_utf8(&body[..error.valid_up_to()]).unwrap(),
            };
            let mut end = 0;
            for character in text.chars() {
                if units == 0 {
                    break;
                }
                units = units.checked_sub(character.len_utf16()).ok_or("a length that ends inside a character")?;
                end += character.len_utf8();
            }
            if units > 0 {
                return match str::from_utf8(body) {
                    Err(error) if error.error_len().is_some() => Err("no UTF-8"),
                    _ => Ok(()),
                };
            }
            payloads.push(text[..end].to_string());
            self.left = body[end..].to_vec();
        }
    }

    fn eof(&self) -> Result<(), &'static str> {
        if self.left.iter().all(blank) { Ok(()) } else { Err("the body ends inside a chunk") }
    }
}

fn outcome(body: &[u8], size: usize) -> (Vec<String>, &'static str) {
    let (mut parser, mut payloads) = (Parser::default(), Vec::new());
    for piece in body.chunks(size) {
        if parser.feed(piece, &mut payloads).is_err() {
            return (payloads, "framing");
        }
    }
    let fault = if parser.eof().is_err() { "truncated" } else { "-" };
    (payloads, fault)
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect()
}

fn main() {
    let file = fs::read_to_string(env::args().nth(1).unwrap()).unwrap();
    let (mut cases, mut failed) = (0, 0);
    for line in file.lines() {
        let [name, fault, body, payloads] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("no vectors") };
        let payloads = payloads.split(',').filter(|one| !one.is_empty()).map(|one| String::from_utf8(bytes(one)).unwrap());
        let (wanted, payloads) = (if fault == "literal" { "-" } else { fault }, payloads.collect::<Vec<_>>());
        let body = bytes(body);
        cases += 1;
        for size in [1, 2, 3, 7, body.len() + 1] {
            let (mut found, fault) = outcome(&body, size);
            found.retain(|text| !text.bytes().all(|byte| blank(&byte)));
            if fault != wanted || fault != "framing" && found != payloads {
                failed += 1;
                println!("{name}, in pieces of {size}: {fault} {found:?}");
            }
        }
    }
    println!("{cases} cases, {failed} failures");
    process::exit((failed > 0) as i32);
}
