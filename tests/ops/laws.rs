//! What holds for every operator.

use super::{Setting, attention, config, elementwise, embedding, loss, norms, numbers::same, products, rotation, self_attention, update};
use ablate::ops::{Activations, keeping};
use proptest::{prelude::*, sample::select};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::sync::LazyLock;

/// An operator of any kind.
fn any_operator() -> impl Strategy<Value = Box<dyn Setting>> {
    fn boxed<S: Setting + 'static>(settings: impl Strategy<Value = S> + 'static) -> BoxedStrategy<Box<dyn Setting>> {
        settings.prop_map(|setting| Box::new(setting) as Box<dyn Setting>).boxed()
    }
    prop_oneof![
        3 => boxed(attention::settings()),
        3 => boxed(self_attention::settings()),
        3 => boxed(loss::settings()),
        2 => boxed(products::settings(products::SHARED)),
        2 => boxed(norms::settings()),
        1 => boxed(elementwise::settings()),
        1 => boxed(embedding::settings()),
        1 => boxed(rotation::settings()),
        1 => boxed(update::updates()),
        1 => boxed(update::norms()),
    ]
}

static POOLS: LazyLock<Vec<ThreadPool>> =
    LazyLock::new(|| [1, 2, 3, 7].map(|threads| ThreadPoolBuilder::new().num_threads(threads).build().unwrap()).into());

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn threads_change_no_bit(setting in any_operator()) {
        let found: Vec<_> = POOLS.iter().map(|pool| pool.install(|| setting.run())).collect();
        found.windows(2).try_for_each(|pair| same(&pair[0], &pair[1]))?;
    }

    #[test]
    fn what_is_kept_changes_no_bit(setting in any_operator(), activations in select(&Activations::EACH[1..])) {
        same(&keeping(activations, || setting.run()), &setting.run())?;
    }
}
