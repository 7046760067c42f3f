//! Elementary functions on vectors of f32, for whatever instruction set [`pulp`] chose at run time.
//!
//! Everything here is `#[inline(always)]`, so that it is compiled with the instructions of the kernel around it.

use pulp::Simd;

/// Runs a kernel with the widest instruction set of this processor: AVX-512, AVX2 with FMA, or what the build targets.
pub fn run<K: pulp::WithSimd>(kernel: K) -> K::Output {
    pulp::Arch::new().dispatch(kernel)
}

/// The instruction set that the kernels use on this processor.
pub fn instructions() -> &'static str {
    struct Lanes;
    impl pulp::WithSimd for Lanes {
        type Output = usize;
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> usize {
            S::F32_LANES
        }
    }
    match (run(Lanes), cfg!(target_arch = "x86_64")) {
        (16, true) => "AVX-512",
        (8, true) => "AVX2",
        (4, false) if cfg!(target_arch = "aarch64") => "NEON",
        _ => "portable",
    }
}

/// Whether this processor multiplies bf16.
pub fn multiplies_bf16() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx512bf16");
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

/// c[0] + x·(c[1] + x·(c[2] + …)).
#[inline(always)]
fn polynomial<S: Simd, const N: usize>(simd: S, x: S::f32s, c: [f32; N]) -> S::f32s {
    let mut y = simd.splat_f32s(c[N - 1]);
    let mut i = N - 1;
    while i > 0 {
        i -= 1;
        y = simd.mul_add_e_f32s(y, x, simd.splat_f32s(c[i]));
    }
    y
}

/// The larger of each pair; the second where one is no number.
#[inline(always)]
pub fn max<S: Simd>(simd: S, a: S::f32s, b: S::f32s) -> S::f32s {
    simd.select_f32s(simd.greater_than_f32s(a, b), a, b)
}

/// The smaller of each pair; the second where one is no number.
#[inline(always)]
pub fn min<S: Simd>(simd: S, a: S::f32s, b: S::f32s) -> S::f32s {
    simd.select_f32s(simd.less_than_f32s(a, b), a, b)
}

/// eˣ, to about 1 unit in the last place; 0 below -87.3, where f32 turns subnormal; e⁸⁸ above 88.
///
/// x = n·ln 2 + r with |r| <= ln 2 / 2, and eʳ by its Taylor series.
#[inline(always)]
pub fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    const LOG2_E: f32 = std::f32::consts::LOG2_E;
    // ln 2 in two parts: the first has zeros at its end, so that n·LN2_HIGH is exact.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    // Adding 1.5·2²³ rounds to an integer and leaves it in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let tiny = simd.less_than_f32s(x, simd.splat_f32s(-87.3));
    let x = min(simd, simd.splat_f32s(88.0), max(simd, simd.splat_f32s(-87.3), x));
    let shifted = simd.mul_add_e_f32s(x, simd.splat_f32s(LOG2_E), simd.splat_f32s(ROUND));
    let n = simd.sub_f32s(shifted, simd.splat_f32s(ROUND));
    let r = simd.mul_add_e_f32s(n, simd.splat_f32s(-LN2_HIGH), x);
    let r = simd.mul_add_e_f32s(n, simd.splat_f32s(-LN2_LOW), r);
    let y = polynomial(simd, r, [1.0, 1.0, 0.5, 1.0 / 6.0, 1.0 / 24.0, 1.0 / 120.0, 1.0 / 720.0, 1.0 / 5040.0]);
    // 2ⁿ from its exponent; the low 8 bits of `shifted` hold n.
    let bits = simd.add_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(127));
    let power = simd.transmute_f32s_u32s(simd.wrapping_dyn_shl_u32s(bits, simd.splat_u32s(23)));
    simd.select_f32s(tiny, simd.splat_f32s(0.0), simd.mul_f32s(y, power))
}

/// 1/(1 + e⁻ˣ).
#[inline(always)]
pub fn sigmoid<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let one = simd.splat_f32s(1.0);
    simd.div_f32s(one, simd.add_f32s(one, exp(simd, simd.neg_f32s(x))))
}

/// tanh x, to some units in the last place: a rational function of degree 13 over 6 (that of Eigen), clamped where it
/// reaches ±1.
#[inline(always)]
pub fn tanh<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let x = min(simd, simd.splat_f32s(7.905_311), max(simd, simd.splat_f32s(-7.905_311), x));
    let square = simd.mul_f32s(x, x);
    let above = polynomial(
        simd,
        square,
        [4.893_525e-3, 6.372_619e-4, 1.485_722_4e-5, 5.122_297e-8, -8.604_672e-11, 2.000_188e-13, -2.760_768_5e-16],
    );
    let below = polynomial(simd, square, [4.893_525e-3, 2.268_434_6e-3, 1.185_347_1e-4, 1.198_258_4e-6]);
    simd.div_f32s(simd.mul_f32s(x, above), below)
}

/// Φ(x), the normal distribution function, and e^(-x²/2) on the way to it.
///
/// By the complementary error function, since 1 + erf cancels where Φ is small: Φ(-√2·z) = e^(-z²)·t·P(t) with
/// t = 1/(1 + 0.3·z) and P the interpolation of degree 8 at Chebyshev's points, 3e-8 off for z up to 10.
#[inline(always)]
pub fn normal<S: Simd>(simd: S, x: S::f32s) -> (S::f32s, S::f32s) {
    const STEP: f32 = 0.3 * std::f32::consts::FRAC_1_SQRT_2;
    let one = simd.splat_f32s(1.0);
    let density = exp(simd, simd.mul_f32s(simd.mul_f32s(x, x), simd.splat_f32s(-0.5)));
    let t = simd.div_f32s(one, simd.mul_add_e_f32s(simd.abs_f32s(x), simd.splat_f32s(STEP), one));
    let fit = polynomial(
        simd,
        t,
        [0.084_586_53, 0.085_474_56, 0.073_398_01, 0.110_269_59, -0.053_491_68, 0.282_257_1, -0.263_075_83, 0.245_967_14, -0.065_385_44],
    );
    let tail = simd.mul_f32s(density, simd.mul_f32s(t, fit));
    let positive = simd.greater_than_f32s(x, simd.splat_f32s(0.0));
    (simd.select_f32s(positive, simd.sub_f32s(one, tail), tail), density)
}
