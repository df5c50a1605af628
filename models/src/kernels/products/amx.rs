//! Products of integers by AMX: 16 × 16 × 64 of them in one instruction.
//!
//! Rust has no stable intrinsics for it, so that the loop over k is written in assembly. A thread has to
//! load a configuration before it uses tiles, and should release it after; and a process has to ask Linux
//! once, because the registers take 8 KiB of every thread that is put aside.

use std::arch::asm;
use std::sync::OnceLock;

use super::avx512;
use super::block::{AHEAD, Int8Block, Int8Operands, SIDE};
use super::{Kernels, Level};

pub(super) static AMX: Kernels = Kernels {
    name: "AMX",
    level: || Level::Avx512,
    enter,
    leave,
    int8: |operands, out| {
        assert!(operands.inside());
        // SAFETY: all that is read is inside; the table is handed out only where AMX was found, and is
        // entered before it is used.
        unsafe { int8(operands, out) }
    },
    add: avx512::AVX512.add,
    finish: avx512::AVX512.finish,
    float: avx512::AVX512.float,
    pack: avx512::AVX512.pack,
};

/// This table, where the processor and the system let us use it.
pub(super) fn available() -> Option<&'static Kernels> {
    static FOUND: OnceLock<bool> = OnceLock::new();
    let found = || avx512::available().is_some() && has_amx_int8() && is_permitted();
    FOUND.get_or_init(found).then_some(&AMX)
}

/// `AMX-TILE` and `AMX-INT8`, of leaf 7.
fn has_amx_int8() -> bool {
    let leaf = std::arch::x86_64::__cpuid_count(7, 0);
    leaf.edx >> 24 & 3 == 3
}

/// Asks Linux for the tile registers (`arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA)`). What it
/// grants holds for all threads of the process.
#[cfg(target_os = "linux")]
fn is_permitted() -> bool {
    const ARCH_PRCTL: i64 = 158;
    const REQUEST_PERMISSION: i64 = 0x1023;
    const TILE_DATA: i64 = 18;
    let answer: i64;
    // SAFETY: a system call with two integers; it changes which registers the kernel saves, no memory.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => answer,
            in("rdi") REQUEST_PERMISSION,
            in("rsi") TILE_DATA,
            out("rcx") _,
            out("r11") _,
            options(nostack)
        );
    }
    answer == 0
}

/// Other systems have ways of their own, which nobody has tried.
#[cfg(not(target_os = "linux"))]
fn is_permitted() -> bool {
    false
}

/// Eight tiles of 16 rows of 64 bytes.
#[repr(C, align(64))]
struct Configuration {
    palette: u8,
    start: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

static CONFIGURATION: Configuration = Configuration {
    palette: 1,
    start: 0,
    reserved: [0; 14],
    row_bytes: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
    rows: [16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0],
};

fn enter() {
    // SAFETY: the table is handed out only where AMX was found and permitted; the configuration is one
    // that palette 1 allows.
    unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const CONFIGURATION, options(nostack)) }
}

fn leave() {
    // SAFETY: as above.
    unsafe { asm!("tilerelease", options(nostack)) }
}

/// # Safety
/// The operands are [inside](Int8Operands::inside), and this thread has entered.
unsafe fn int8(operands: &Int8Operands<'_>, out: &mut Int8Block) {
    let (a, b) = (operands.a.as_ptr(), operands.b.as_ptr());
    let out = out.0.as_mut_ptr();
    let row = 4 * SIDE;
    // A single tile or panel is computed twice; its second copy goes where nobody reads.
    let a_stride = if operands.tiles == 2 {
        operands.a_stride
    } else {
        0
    };
    let b_stride = if operands.panels == 2 {
        operands.b_stride
    } else {
        0
    };
    if operands.blocks == 0 {
        // SAFETY: the block has that many integers.
        unsafe { out.write_bytes(0, SIDE * SIDE) };
        return;
    }
    // Fetching never faults.
    let ahead = operands.ahead.as_ptr();
    macro_rules! multiply {
        ($($ahead:literal)*) => {
            asm!(
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                "2:",
                "tileloadd tmm6, [{b} + {s}]",
                "tileloadd tmm4, [{a} + {s}]",
                "tileloadd tmm7, [{b2} + {s}]",
                "tdpbsud tmm0, tmm4, tmm6",
                "tileloadd tmm5, [{a2} + {s}]",
                "tdpbsud tmm1, tmm4, tmm7",
                $($ahead,)*
                "tdpbsud tmm2, tmm5, tmm6",
                "tdpbsud tmm3, tmm5, tmm7",
                "add {a}, 1024",
                "add {a2}, 1024",
                "add {b}, 1024",
                "add {b2}, 1024",
                "add {ahead}, 512",
                "dec {n}",
                "jnz 2b",
                "tilestored [{out} + {row}], tmm0",
                "tilestored [{out} + {row} + 64], tmm1",
                "tilestored [{out2} + {row}], tmm2",
                "tilestored [{out2} + {row} + 64], tmm3",
                a = inout(reg) a => _,
                a2 = inout(reg) a.add(a_stride) => _,
                b = inout(reg) b => _,
                b2 = inout(reg) b.add(b_stride) => _,
                ahead = inout(reg) ahead => _,
                n = inout(reg) operands.blocks => _,
                s = in(reg) 64_usize,
                out = in(reg) out,
                out2 = in(reg) out.add(16 * SIDE),
                row = in(reg) row,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack)
            )
        };
    }
    // SAFETY: the loads stay inside the operands by the contract, the stores in the 32 × 32 integers of
    // `out`.
    unsafe {
        if operands.ahead.len() >= operands.blocks * AHEAD {
            multiply!(
                "prefetcht1 [{ahead}]"
                "prefetcht1 [{ahead} + 64]"
                "prefetcht1 [{ahead} + 128]"
                "prefetcht1 [{ahead} + 192]"
                "prefetcht1 [{ahead} + 256]"
                "prefetcht1 [{ahead} + 320]"
                "prefetcht1 [{ahead} + 384]"
                "prefetcht1 [{ahead} + 448]"
            );
        } else {
            multiply!();
        }
    }
}
