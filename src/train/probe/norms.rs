//! Sizes of gradients and of updates, by the place of their parameter.

use crate::{
    model::{Transformer, parameters},
    ops,
};
use burn::{
    module::{Module, ModuleVisitor, Param},
    optim::GradientsParams,
    tensor::Tensor,
};

/// A sum of squares, and over how many numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Squares {
    sum: f64,
    count: usize,
}

impl Squares {
    /// The root of the sum.
    pub fn norm(self) -> f64 {
        self.sum.sqrt()
    }

    /// The root of the mean; 0 of none.
    pub fn rms(self) -> f64 {
        (self.sum / self.count.max(1) as f64).sqrt()
    }
}

impl std::iter::Sum for Squares {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::default(), |a, b| Self { sum: a.sum + b.sum, count: a.count + b.count })
    }
}

/// Squares of every parameter, in the order of the module.
pub(super) struct ByParameter(Vec<(Place, Squares)>);

/// Where a parameter stands.
struct Place {
    path: String,
    is_matrix: bool,
}

impl Place {
    /// What stands behind the number of its block, if it is in this one.
    fn within(&self, layer: usize) -> Option<&str> {
        let (index, rest) = self.path.strip_prefix("layers.")?.split_once('.')?;
        (index == layer.to_string()).then_some(rest)
    }
}

impl ByParameter {
    fn new(model: &Transformer, sums: Vec<f64>) -> Self {
        let all = parameters(model).into_iter().zip(sums);
        let entry = |((path, _, shape), sum): ((String, _, Vec<usize>), f64)| {
            (Place { path, is_matrix: shape.len() == 2 }, Squares { sum, count: shape.iter().product() })
        };
        Self(all.map(entry).collect())
    }

    /// Of the gradients of all parameters; one without a gradient counts as 0.
    pub fn of_gradients(model: &Transformer, gradients: &GradientsParams) -> Self {
        struct Visitor<'a>(&'a GradientsParams, Vec<f64>);
        impl ModuleVisitor for Visitor<'_> {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                let square = self.0.get::<D>(param.id).map(|gradient| ops::square_norm(gradient).into_scalar::<f32>());
                self.1.push(square.map_or(0.0, f64::from));
            }
        }
        let mut visitor = Visitor(gradients, vec![]);
        model.visit(&mut visitor);
        Self::new(model, visitor.1)
    }

    /// Of what an update changed, and of what was there before it.
    pub fn of_update(model: &Transformer, before: &[Vec<f32>]) -> [Self; 2] {
        let wide = |value: &f32| f64::from(*value);
        let changed = |old: &[f32], new: &[f32]| old.iter().zip(new).map(|(old, new)| (wide(new) - wide(old)).powi(2)).sum::<f64>();
        let changes = before.iter().zip(copies(model)).map(|(old, new)| changed(old, &new)).collect();
        let sizes = before.iter().map(|old| old.iter().map(|value| wide(value).powi(2)).sum()).collect();
        [Self::new(model, changes), Self::new(model, sizes)]
    }

    /// Of all parameters.
    pub fn all(&self) -> Squares {
        self.sum(|_| true)
    }

    /// Of the parameters outside of the blocks whose path begins so.
    pub fn outside(&self, prefix: &str) -> Squares {
        self.sum(|place| place.path.starts_with(prefix))
    }

    /// Of all parameters of a block.
    pub fn block(&self, layer: usize) -> Squares {
        self.sum(|place| place.within(layer).is_some())
    }

    /// Of the matrices of a block whose path in it begins so.
    pub fn matrices(&self, layer: usize, prefix: &str) -> Squares {
        self.sum(|place| place.is_matrix && place.within(layer).is_some_and(|path| path.starts_with(prefix)))
    }

    fn sum(&self, wanted: impl Fn(&Place) -> bool) -> Squares {
        self.0.iter().filter(|(place, _)| wanted(place)).map(|(_, squares)| *squares).sum()
    }
}

/// Every parameter's numbers on the host, in the order of the module: copies that no update in place can reach.
pub(super) fn copies(model: &Transformer) -> Vec<Vec<f32>> {
    struct Visitor(Vec<Vec<f32>>);
    impl ModuleVisitor for Visitor {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.push(param.val().inner().into_data().iter::<f32>().collect());
        }
    }
    let mut visitor = Visitor(vec![]);
    model.visit(&mut visitor);
    visitor.0
}
