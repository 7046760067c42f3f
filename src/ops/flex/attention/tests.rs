use super::reference::{BASE, BUCKETS, Case, Inputs, Kind, Results, Wide, check, documents, reference};
use super::*;

/// Runs the kernels into buffers of NaN.
fn run(case: &Case, inputs: &Inputs) -> Results<f32> {
    let p = case.problem(inputs);
    let poison = |len| vec![f32::NAN; len];
    let (q, k, v) =
        (case.view(&inputs.q, p.heads, p.queries), case.view(&inputs.k, p.kv_heads, p.keys), case.view(&inputs.v, p.kv_heads, p.keys));
    let query_len = p.batch * p.queries * p.heads * p.head_dim;
    let key_len = p.batch * p.keys * p.kv_heads * p.head_dim;
    let mut r = Results {
        out: poison(query_len),
        log_sum: poison(p.batch * p.heads * p.queries),
        dq: poison(query_len),
        dk: poison(key_len),
        dv: poison(key_len),
        table: poison(BUCKETS * p.heads),
    };
    forward(&p, q, k, v, &mut r.out, &mut r.log_sum);
    let row = p.heads * p.head_dim;
    let out = View { data: &r.out, batch: p.queries * row, head: p.head_dim, seq: row };
    let dout = case.view(&inputs.dout, p.heads, p.queries);
    let table = if case.bias == Kind::Relative { Some(&mut r.table[..]) } else { None };
    backward(&p, q, k, v, out, &r.log_sum, dout, &mut r.dq, &mut r.dk, &mut r.dv, table);
    r
}

fn compare(name: &str, case: &Case) {
    let inputs = case.inputs();
    check(name, case, &inputs, &run(case, &inputs), 1e-5);
}

#[test]
fn shapes() {
    for head_dim in [1, 16, 20, 64] {
        for seq in [1, 7, 65, 130] {
            compare(&format!("{seq} by {head_dim}"), &Case { queries: seq, keys: seq, head_dim, ..BASE });
        }
    }
    compare("wide heads", &Case { batch: 1, head_dim: 256, scale: 0.06, ..BASE });
    compare("more than one tile", &Case { batch: 1, queries: 600, keys: 600, ..BASE });
}

#[test]
fn fewer_queries_than_keys() {
    for (queries, keys) in [(1, 7), (1, 130), (5, 65), (64, 130), (66, 300)] {
        compare(&format!("{queries} of {keys}"), &Case { queries, keys, ..BASE });
    }
}

#[test]
fn shared_keys() {
    for (heads, kv_heads) in [(4, 1), (4, 2), (3, 3), (40, 20)] {
        compare(&format!("{heads} heads on {kv_heads}"), &Case { heads, kv_heads, bias: Kind::Relative, ..BASE });
    }
    let one = Case { batch: 1, heads: 6, kv_heads: 1, queries: 400, keys: 430, ..BASE };
    compare("one sequence, one key head", &one);
    let windowed = Case { window: Some(70), bias: Kind::Relative, ..one.clone() };
    compare("one sequence, one key head, window", &windowed);
    compare("one sequence, one key head, documents", &Case { starts: documents(1, 430, &[150, 1, 1, 33]), ..one });
}

#[test]
fn options() {
    for bias in [Kind::None, Kind::Alibi, Kind::Relative] {
        for soft_cap in [None, Some(2.0)] {
            for window in [None, Some(1), Some(5), Some(64)] {
                for lens in [None, Some([1, 1, 30, 7]), Some([90, 1, 2, 17])] {
                    let starts = lens.and_then(|lens| documents(2, 130, &lens));
                    let name = format!("bias {}, cap {soft_cap:?}, window {window:?}, documents {lens:?}", bias as u8);
                    let case = Case { queries: 130, keys: 130, scale: 1.0, soft_cap, window, starts, bias, ..BASE };
                    compare(&name, &case);
                    let some = Case { queries: 37, heads: 4, head_dim: 20, interleaved: true, ..case };
                    compare(&format!("{name}, last queries"), &some);
                }
            }
        }
    }
}

#[test]
fn single_token_documents() {
    compare("single tokens", &Case { starts: documents(2, 65, &[1]), ..BASE });
}

#[test]
#[should_panic(expected = "starts must not decrease")]
fn documents_out_of_order() {
    let case = Case { batch: 1, queries: 3, keys: 3, starts: Some(vec![0, 1, 0]), ..BASE };
    run(&case, &case.inputs());
}

#[test]
fn hard_scores() {
    compare("large scores", &Case { scale: 50.0, ..BASE });
    compare("large scores, many tiles", &Case { scale: 50.0, batch: 1, queries: 600, keys: 600, ..BASE });
    compare("large scores, capped", &Case { scale: 50.0, soft_cap: Some(30.0), bias: Kind::Alibi, ..BASE });
    compare("equal scores", &Case { equal: true, ..BASE });
    compare("equal scores, relative", &Case { equal: true, bias: Kind::Relative, queries: 130, keys: 130, ..BASE });
}

#[test]
fn strided_views_give_the_same_bits() {
    let plain = Case { heads: 4, kv_heads: 2, head_dim: 20, ..BASE };
    let strided = Case { interleaved: true, ..plain.clone() };
    compare("strided", &strided);
    let (from, mut to) = (plain.inputs(), strided.inputs());
    for (from, to, heads) in [(&from.q, &mut to.q, 4), (&from.k, &mut to.k, 2), (&from.v, &mut to.v, 2), (&from.dout, &mut to.dout, 4)] {
        let stride = strided.seq_stride(heads);
        for b in 0..plain.batch {
            for h in 0..heads {
                for i in 0..plain.keys {
                    let row = plain.view(from, heads, plain.keys).row(b, h, i, 20);
                    to[(b * plain.keys + i) * stride + h * 20..][..20].copy_from_slice(row);
                }
            }
        }
    }
    same(&run(&plain, &from), &run(&strided, &to));
}

fn same(a: &Results<f32>, b: &Results<f32>) {
    let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    let all = |r: &Results<f32>| [bits(&r.out), bits(&r.log_sum), bits(&r.dq), bits(&r.dk), bits(&r.dv), bits(&r.table)];
    assert!(all(a) == all(b));
}

#[test]
fn same_bits_for_any_threads() {
    let many = Case { batch: 8, heads: 4, kv_heads: 4, bias: Kind::Relative, ..BASE };
    let few = Case { batch: 1, heads: 3, kv_heads: 1, queries: 500, keys: 520, bias: Kind::Relative, ..BASE };
    let windowed = Case { window: Some(40), starts: documents(1, 520, &[100, 1, 33]), soft_cap: Some(3.0), ..few.clone() };
    for case in [many, few, windowed] {
        let inputs = case.inputs();
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool of threads");
            pool.install(|| run(&case, &inputs))
        };
        let one = with(1);
        for threads in [2, 3, 7] {
            same(&one, &with(threads));
        }
    }
}

/// Pairs of query and key that the forward pass computes for one head, whole spans.
fn computed(p: &Problem) -> usize {
    let spans = (0..p.queries).step_by(ROWS).map(|first| p.span(0, first, 0..round_up(p.keys, UNIT)));
    spans.map(|span| (span.end - span.start) * ROWS).sum()
}

#[test]
fn hidden_keys_cost_nothing() {
    let seq = 8192;
    let wide = Case { batch: 1, queries: seq, keys: seq, ..BASE };
    let visible = seq * (seq + 1) / 2;
    let inputs = wide.inputs();
    assert!(computed(&wide.problem(&inputs)) as f64 <= 1.01 * visible as f64);
    // 64 keys and what the edges of eight rows and units of sixteen keys add.
    let windowed = Case { window: Some(64), ..wide.clone() };
    assert!(computed(&windowed.problem(&inputs)) <= seq * (64 + ROWS + 2 * UNIT));
    let split = Case { starts: documents(1, seq, &[32]), ..wide };
    assert!(computed(&split.problem(&inputs)) <= seq * 32);
}

#[test]
fn rows_of_a_tile_are_those_that_see_it() {
    for (window, starts) in [(None, None), (Some(9), None), (None, documents(1, 150, &[50, 1, 20])), (Some(30), documents(1, 150, &[70]))] {
        let case = Case { batch: 1, queries: 120, keys: 150, window, starts, ..BASE };
        let inputs = case.inputs();
        let p = case.problem(&inputs);
        for tile in (0..160).step_by(32).map(|start| start..(start + 32).min(160)) {
            let rows = p.rows_of(0, tile.clone());
            for i in 0..p.queries {
                let sees = p.low(0, i) < tile.end && p.position(i) >= tile.start;
                assert_eq!(sees, rows.contains(&i), "query {i} of keys {tile:?}");
            }
        }
    }
}

#[test]
fn reference_gradients_are_differences() {
    let case = Case {
        batch: 1,
        heads: 2,
        kv_heads: 1,
        queries: 4,
        keys: 6,
        head_dim: 3,
        scale: 0.7,
        soft_cap: Some(1.5),
        window: Some(4),
        starts: documents(1, 6, &[3, 3]),
        bias: Kind::Relative,
        ..BASE
    };
    let inputs = case.inputs();
    let dout = Wide::new(case.view(&inputs.dout, 2, 4));
    // The arrays are small multiples of 2⁻⁸, and the step a power of two, so that f32 inputs shift exactly.
    let rounded = |x: &[f32]| x.iter().map(|x| (x * 256.0).round() / 256.0).collect::<Vec<_>>();
    let arrays = [rounded(&inputs.q), rounded(&inputs.k), rounded(&inputs.v), rounded(&inputs.table)];
    let evaluate = |arrays: &[Vec<f32>; 4]| {
        let inputs = Inputs { table: arrays[3].clone(), ..case.inputs() };
        let p = case.problem(&inputs);
        let [q, k, v] = [(0, 2, 4), (1, 1, 6), (2, 1, 6)].map(|(n, heads, seq)| Wide::new(case.view(&arrays[n], heads, seq)));
        reference(&p, &q, &k, &v, &dout)
    };
    let loss = |arrays: &[Vec<f32>; 4]| {
        let out = evaluate(arrays).out;
        let mut sum = 0.0;
        for i in 0..4 {
            for h in 0..2 {
                for c in 0..3 {
                    sum += out[(i * 2 + h) * 3 + c] * dout.at(0, h, i, c);
                }
            }
        }
        sum
    };
    let gradients = evaluate(&arrays);
    let step = (2f32).powi(-12);
    // Where element `at` of an array of so many heads lies in its gradient, whose heads come after the positions.
    let moved = |at: usize, heads: usize, seq: usize| (at / 3 % seq * heads + at / 3 / seq) * 3 + at % 3;
    for (n, gradient) in [&gradients.dq, &gradients.dk, &gradients.dv, &gradients.table].into_iter().enumerate() {
        for at in 0..arrays[n].len() {
            let shifted = |by: f32| {
                let mut arrays = arrays.clone();
                arrays[n][at] += by;
                loss(&arrays)
            };
            let difference = (shifted(step) - shifted(-step)) / (2.0 * f64::from(step));
            let analytic = gradient[if n == 0 { moved(at, 2, 4) } else { at }];
            assert!((difference - analytic).abs() < 1e-6, "array {n}, element {at}: {difference} and {analytic}");
        }
    }
}
