//! Loops that the compiler makes into vectors, once for each width.
//!
//! [`vectorized!`] compiles one body of plain Rust for AVX-512, AVX2 with FMA, and the processor that
//! every program of the target may expect (with NEON on Arm). The body decides by the constant `FMA`
//! whether a product and a sum are rounded once: without the instruction that would be a call.

/// How wide the vectors of this processor are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// What every processor of the target has.
    Base,
    /// 256 bits, with FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// 512 bits.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    /// The widest of this processor.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn detect() -> Self {
        use std::arch::is_x86_feature_detected as has;
        let avx2 = has!("avx2") && has!("fma") && has!("f16c");
        let avx512 = has!("avx512f") && has!("avx512bw") && has!("avx512vl") && has!("avx512dq");
        if avx2 && avx512 {
            Self::Avx512
        } else if avx2 {
            Self::Avx2
        } else {
            Self::Base
        }
    }

    /// The widest of this processor.
    #[cfg(not(target_arch = "x86_64"))]
    pub(crate) fn detect() -> Self {
        Self::Base
    }
}

/// `a · b + c`, rounded once where there is an instruction for it.
#[inline(always)]
pub(crate) fn fma<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// Defines a function whose first argument is the [`Level`] that it runs at. Its body is a function of its
/// own for each level; it is generic over `const FMA: bool`.
macro_rules! vectorized {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        $vis fn $name(level: $crate::kernels::level::Level, $($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn body<const FMA: bool>($($arg: $ty),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c")]
            fn avx512($($arg: $ty),*) $(-> $ret)? { body::<true>($($arg),*) }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,f16c")]
            fn avx2($($arg: $ty),*) $(-> $ret)? { body::<true>($($arg),*) }

            match level {
                #[cfg(target_arch = "x86_64")]
                // SAFETY: `Level::detect` has found these instructions, or a test has.
                $crate::kernels::level::Level::Avx512 => unsafe { avx512($($arg),*) },
                #[cfg(target_arch = "x86_64")]
                // SAFETY: as above.
                $crate::kernels::level::Level::Avx2 => unsafe { avx2($($arg),*) },
                $crate::kernels::level::Level::Base => body::<{ cfg!(target_arch = "aarch64") }>($($arg),*),
            }
        }
    };
}

pub(crate) use vectorized;
