//! Pickle, read as data.
//!
//! A pickle is a program for a small stack machine that can call any function of Python. This
//! interpreter knows the opcodes that `torch.save` writes (protocols 2 to 5) and calls nothing: where the
//! program would call, it asks [`rebuild`] what the result would describe, and a name that is not on the
//! list of [`Global`] ends the reading with an error that says it.
//!
//! Depth costs nothing here: there is no recursion, and the values live in an arena. Size is bounded by
//! the bytes read, [`MAX_BYTES`] at most, by the number of values, and by the number of items copied from
//! one value into another.

use super::rebuild;
use super::value::{Arena, Global, Ref, Value};
use std::collections::HashMap;
use std::io::{self, Read};
use std::rc::Rc;

/// The most bytes of one pickle. That of a checkpoint of a thousand tensors has some 200 kB.
pub(super) const MAX_BYTES: u64 = 32 << 20;

/// The most values on the stack.
const MAX_STACK: usize = 1 << 22;

/// Why a pickle was not read, and where.
#[derive(Debug)]
pub(super) struct PickleError {
    /// Counted from the start of the pickle.
    pub(super) offset: u64,
    pub(super) message: String,
}

/// The value that a pickle describes, with all the others that it is made of.
#[derive(Debug)]
pub(super) struct Pickle {
    pub(super) arena: Arena,
    pub(super) root: Ref,
    /// How many bytes it took.
    pub(super) len: u64,
}

/// Reads one pickle, up to and including its STOP.
pub(super) fn read(input: impl Read) -> Result<Pickle, PickleError> {
    let mut machine = Machine {
        input: input.take(MAX_BYTES),
        at: 0,
        arena: Arena::default(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
    };
    loop {
        let offset = machine.at;
        match machine.step() {
            Ok(None) => {}
            Ok(Some(root)) => {
                return Ok(Pickle {
                    arena: machine.arena,
                    root,
                    len: machine.at,
                });
            }
            Err(message) => return Err(PickleError { offset, message }),
        }
    }
}

/// Failures inside a step are sentences; `read` adds the offset.
pub(super) type Step<T> = Result<T, String>;

struct Machine<R> {
    input: io::Take<R>,
    at: u64,
    arena: Arena,
    stack: Vec<Ref>,
    marks: Vec<usize>,
    memo: HashMap<u32, Ref>,
}

impl<R: Read> Machine<R> {
    /// One opcode. Returns the result at STOP.
    fn step(&mut self) -> Step<Option<Ref>> {
        let [opcode] = self.bytes()?;
        match opcode {
            b'.' => return self.pop().map(Some),
            // PROTO, FRAME
            0x80 => {
                let [protocol] = self.bytes()?;
                if protocol > 5 {
                    return Err(format!("pickle protocol {protocol}: expected at most 5"));
                }
            }
            0x95 => {
                self.bytes::<8>()?;
            }
            b'(' => self.marks.push(self.stack.len()),
            b'0' => {
                self.pop()?;
            }
            b'1' => {
                self.pop_to_mark()?;
            }
            b'2' => {
                let top = *self.stack.last().ok_or("DUP of an empty stack")?;
                self.push_ref(top)?;
            }
            b'N' => self.push(Value::None)?,
            0x88 => self.push(Value::Bool(true))?,
            0x89 => self.push(Value::Bool(false))?,
            // BININT, BININT1, BININT2, LONG1, LONG4
            b'J' => {
                let number = i32::from_le_bytes(self.bytes()?);
                self.push(Value::Int(number.into()))?;
            }
            b'K' => {
                let [number] = self.bytes()?;
                self.push(Value::Int(number.into()))?;
            }
            b'M' => {
                let number = u16::from_le_bytes(self.bytes()?);
                self.push(Value::Int(number.into()))?;
            }
            0x8a => {
                let [len] = self.bytes()?;
                self.long(len.into())?;
            }
            0x8b => {
                let len = u32::from_le_bytes(self.bytes()?);
                self.long(len.into())?;
            }
            // BINFLOAT
            b'G' => {
                self.bytes::<8>()?;
                self.push(Value::Float)?;
            }
            // SHORT_BINUNICODE, BINUNICODE, BINUNICODE8; SHORT_BINSTRING and BINSTRING of Python 2
            0x8c | b'U' => {
                let [len] = self.bytes()?;
                self.text(len.into())?;
            }
            b'X' | b'T' => {
                let len = u32::from_le_bytes(self.bytes()?);
                self.text(len.into())?;
            }
            0x8d => {
                let len = u64::from_le_bytes(self.bytes()?);
                self.text(len)?;
            }
            // SHORT_BINBYTES, BINBYTES, BINBYTES8
            b'C' => {
                let [len] = self.bytes()?;
                self.binary(len.into())?;
            }
            b'B' => {
                let len = u32::from_le_bytes(self.bytes()?);
                self.binary(len.into())?;
            }
            0x8e => {
                let len = u64::from_le_bytes(self.bytes()?);
                self.binary(len)?;
            }
            // Tuples: EMPTY_TUPLE, TUPLE1 to 3, TUPLE
            b')' => self.push(Value::Tuple(Rc::new([])))?,
            0x85..=0x87 => {
                let len = usize::from(opcode - 0x84);
                let start = self
                    .stack
                    .len()
                    .checked_sub(len)
                    .ok_or("a tuple of more than the stack holds")?;
                self.above_mark(start)?;
                let items: Rc<[Ref]> = self.stack.split_off(start).into();
                self.push(Value::Tuple(items))?;
            }
            b't' => {
                let items: Rc<[Ref]> = self.pop_to_mark()?.into();
                self.push(Value::Tuple(items))?;
            }
            // Lists: EMPTY_LIST, LIST, APPEND, APPENDS
            b']' => self.push(Value::List(Vec::new()))?,
            b'l' => {
                let items = self.pop_to_mark()?;
                self.push(Value::List(items))?;
            }
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])?;
            }
            b'e' => {
                let items = self.pop_to_mark()?;
                self.append(items)?;
            }
            // Dicts: EMPTY_DICT, DICT, SETITEM, SETITEMS
            b'}' => self.push(Value::Dict(Vec::new()))?,
            b'd' => {
                let items = self.pop_to_mark()?;
                let items = pairs(&items)?;
                self.push(Value::Dict(items))?;
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set_items(&[key, value])?;
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.set_items(&items)?;
            }
            // The memo: BINPUT, LONG_BINPUT, MEMOIZE, BINGET, LONG_BINGET
            b'q' => {
                let [index] = self.bytes()?;
                self.memoize(index.into())?;
            }
            b'r' => {
                let index = u32::from_le_bytes(self.bytes()?);
                self.memoize(index)?;
            }
            0x94 => {
                let index = u32::try_from(self.memo.len()).map_err(|_| "a memo without end")?;
                self.memoize(index)?;
            }
            b'h' => {
                let [index] = self.bytes()?;
                self.recall(index.into())?;
            }
            b'j' => {
                let index = u32::from_le_bytes(self.bytes()?);
                self.recall(index)?;
            }
            // Names: GLOBAL, STACK_GLOBAL
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.global(&module, &name)?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let text = |at| {
                    self.arena
                        .str(at)
                        .cloned()
                        .ok_or("STACK_GLOBAL without two strings")
                };
                let (module, name) = (text(module)?, text(name)?);
                self.global(&module, &name)?;
            }
            // BINPERSID, REDUCE, BUILD
            b'Q' => {
                let id = self.pop()?;
                let storage = rebuild::storage(&self.arena, id)?;
                self.push(storage)?;
            }
            b'R' => {
                let (arguments, function) = (self.pop()?, self.pop()?);
                let result = rebuild::call(&mut self.arena, function, arguments)?;
                self.push_ref(result)?;
            }
            b'b' => {
                // The attributes of an object, such as `_metadata` of a state dict: no tensors.
                self.pop()?;
                let object = self.peek()?;
                if !matches!(self.arena.get(object), Value::Dict(_) | Value::Tensor(_)) {
                    return Err(format!(
                        "BUILD would set attributes of {}",
                        self.arena.get(object).what()
                    ));
                }
            }
            b'i' | b'o' | 0x81 | 0x92 => {
                let class = self
                    .stack
                    .iter()
                    .rev()
                    .find_map(|at| match self.arena.get(*at) {
                        Value::Global(class) => Some(format!("{class:?}")),
                        _ => None,
                    });
                let class = class.unwrap_or_else(|| "a class".to_owned());
                return Err(format!(
                    "it would make an object of {class} (opcode {opcode:#04x}), which no checkpoint needs; {}",
                    super::RESAVE
                ));
            }
            _ => {
                return Err(format!(
                    "opcode {opcode:#04x} is none that torch.save writes; {}",
                    super::RESAVE
                ));
            }
        }
        Ok(None)
    }

    fn bytes<const N: usize>(&mut self) -> Step<[u8; N]> {
        let mut bytes = [0; N];
        match self.input.read_exact(&mut bytes) {
            Ok(()) => {
                self.at += N as u64;
                Ok(bytes)
            }
            Err(error) => Err(self.ended(&error)),
        }
    }

    /// Grows with what is there, not with what is claimed.
    fn vec(&mut self, len: u64) -> Step<Vec<u8>> {
        let mut bytes = Vec::new();
        let got = self.input.by_ref().take(len).read_to_end(&mut bytes);
        let got = got.map_err(|error| self.ended(&error))? as u64;
        self.at += got;
        if got < len {
            return Err(format!(
                "expected {len} bytes, got {got}: the file was cut short or is damaged"
            ));
        }
        Ok(bytes)
    }

    fn ended(&self, error: &io::Error) -> String {
        match error.kind() {
            io::ErrorKind::UnexpectedEof if self.input.limit() == 0 => {
                format!("more than {MAX_BYTES} bytes of pickle: no checkpoint needs as many")
            }
            io::ErrorKind::UnexpectedEof => {
                "the pickle ends early: the file was cut short".to_owned()
            }
            _ => error.to_string(),
        }
    }

    /// A line of a GLOBAL, without its end.
    fn line(&mut self) -> Step<String> {
        const MAX: usize = 4096;
        let mut line = Vec::new();
        loop {
            match self.bytes()? {
                [b'\n'] => break,
                [byte] if line.len() < MAX => line.push(byte),
                _ => return Err(format!("a name of more than {MAX} bytes")),
            }
        }
        String::from_utf8(line).map_err(|_| "a name that is not UTF-8".to_owned())
    }

    fn text(&mut self, len: u64) -> Step<()> {
        let text = String::from_utf8(self.vec(len)?).map_err(|_| "a string that is not UTF-8")?;
        self.push(Value::Str(text.into()))
    }

    fn binary(&mut self, len: u64) -> Step<()> {
        self.vec(len)?;
        self.push(Value::Bytes)
    }

    fn long(&mut self, len: u64) -> Step<()> {
        let bytes = self.vec(len)?;
        let value = if bytes.len() <= 8 {
            let sign = if bytes.last().is_some_and(|byte| byte & 0x80 != 0) {
                0xff
            } else {
                0
            };
            let mut number = [sign; 8];
            number[..bytes.len()].copy_from_slice(&bytes);
            Value::Int(i64::from_le_bytes(number))
        } else {
            Value::Long(bytes.into())
        };
        self.push(value)
    }

    fn global(&mut self, module: &str, name: &str) -> Step<()> {
        match Global::find(module, name) {
            Some(global) => self.push(Value::Global(global)),
            None => Err(format!(
                "it names `{module}.{name}`, which is none of the names that a checkpoint needs, so nothing was \
                 read; {}",
                super::RESAVE
            )),
        }
    }

    fn add(&mut self, value: Value) -> Step<Ref> {
        let full = || {
            format!(
                "more than {} values: no checkpoint needs as many",
                Arena::MAX_VALUES
            )
        };
        self.arena.add(value).ok_or_else(full)
    }

    fn push(&mut self, value: Value) -> Step<()> {
        let at = self.add(value)?;
        self.push_ref(at)
    }

    fn push_ref(&mut self, at: Ref) -> Step<()> {
        if self.stack.len() >= MAX_STACK {
            return Err(format!("more than {MAX_STACK} values on the stack"));
        }
        self.stack.push(at);
        Ok(())
    }

    /// Refuses to reach below the last mark.
    fn above_mark(&self, len: usize) -> Step<()> {
        match self.marks.last() {
            Some(mark) if *mark > len => Err("an opcode reaches below the last mark".to_owned()),
            _ => Ok(()),
        }
    }

    fn peek(&self) -> Step<Ref> {
        self.above_mark(self.stack.len().saturating_sub(1))?;
        self.stack
            .last()
            .copied()
            .ok_or_else(|| "an opcode finds the stack empty".to_owned())
    }

    fn pop(&mut self) -> Step<Ref> {
        let top = self.peek()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_to_mark(&mut self) -> Step<Vec<Ref>> {
        let mark = self.marks.pop().ok_or("an opcode finds no mark")?;
        if mark > self.stack.len() {
            return Err("a mark above the stack".to_owned());
        }
        Ok(self.stack.split_off(mark))
    }

    fn append(&mut self, items: Vec<Ref>) -> Step<()> {
        let list = self.peek()?;
        match self.arena.get_mut(list) {
            Value::List(list) => {
                list.extend(items);
                Ok(())
            }
            other => Err(format!("APPEND to {}", other.what())),
        }
    }

    fn set_items(&mut self, items: &[Ref]) -> Step<()> {
        let dict = self.peek()?;
        let items = pairs(items)?;
        match self.arena.get_mut(dict) {
            Value::Dict(dict) => {
                dict.extend(items);
                Ok(())
            }
            other => Err(format!("SETITEMS of {}", other.what())),
        }
    }

    fn memoize(&mut self, index: u32) -> Step<()> {
        let top = self.peek()?;
        self.memo.insert(index, top);
        Ok(())
    }

    fn recall(&mut self, index: u32) -> Step<()> {
        let at = *self
            .memo
            .get(&index)
            .ok_or_else(|| format!("memo {index} was never filled"))?;
        self.push_ref(at)
    }
}

fn pairs(items: &[Ref]) -> Step<Vec<(Ref, Ref)>> {
    let (pairs, rest) = items.as_chunks::<2>();
    if !rest.is_empty() {
        return Err("a key without a value".to_owned());
    }
    Ok(pairs.iter().map(|[key, value]| (*key, *value)).collect())
}
