//! Operators under Burn's fusion: queued like Burn's own operations and run when their turn comes.
//!
//! The queue keeps the closure of every single call. Plans that it finds again by the shape of the graph only order and
//! group calls, so that two calls of one shape with different options run each their own closure.

use crate::ops::operator::{Extension, Indices, Kept, Kernels, Native, Operator, Tensors};
use burn::backend::{
    TensorMetadata,
    fusion::{
        Fusion, FusionBackend, FusionRuntime, FusionTensor,
        client::GlobalFusionClient,
        custom::{CustomOpIr, HandleContainer, OperationFn, OperationIr, StreamId, TensorIr, TensorSpec},
    },
};
use burn::tensor::DType;
use burn_cubecl::{CubeBackend, tensor::CubeTensor};
use std::sync::Arc;

type Runtime = <CubeBackend as FusionBackend>::FusionRuntime;
type Lazy = FusionTensor<Runtime>;
type Handles = HandleContainer<<Runtime as FusionRuntime>::FusionHandle>;

fn spec(tensor: &Lazy) -> TensorSpec {
    TensorSpec::new(tensor.shape.clone(), tensor.dtype)
}

fn specs<'a>(tensors: impl IntoIterator<Item = &'a Lazy>) -> Vec<TensorSpec> {
    tensors.into_iter().map(spec).collect()
}

/// Hands the tensors over to the queue: what nobody else holds may then be changed in place.
fn taken(tensors: impl IntoIterator<Item = Lazy>) -> Vec<TensorIr> {
    tensors.into_iter().map(Lazy::into_ir).collect()
}

fn floats(handles: &mut Handles, list: &[TensorIr]) -> Vec<CubeTensor> {
    list.iter().map(|tensor| handles.get_float_tensor::<CubeBackend>(tensor)).collect()
}

fn integers(handles: &mut Handles, list: &[TensorIr]) -> Option<CubeTensor> {
    list.first().map(|tensor| handles.get_int_tensor::<CubeBackend>(tensor))
}

/// Queues a call of `run`, which gives the tensors that `outputs` describes, and maybe more.
fn queue(
    client: &GlobalFusionClient<Runtime>,
    inputs: Vec<TensorIr>,
    outputs: Vec<TensorSpec>,
    run: impl Fn(&mut Handles) -> Vec<CubeTensor> + Send + Sync + 'static,
) -> Vec<Lazy> {
    let outputs: Vec<TensorIr> =
        outputs.into_iter().map(|spec| TensorIr::uninit(client.create_empty_handle(), spec.shape, spec.dtype)).collect();
    let call = CustomOpIr { id: "ablate".into(), inputs, outputs: outputs.clone(), scalars: vec![] };
    let run = OperationFn(move |handles: &mut Handles| {
        let found = run(handles);
        assert!(found.len() >= outputs.len(), "an operator gives every output that it describes");
        for (tensor, described) in found.into_iter().zip(&outputs) {
            assert_eq!((tensor.shape(), tensor.dtype), (described.shape.clone(), described.dtype), "an output and its description");
            handles.register_float_tensor::<CubeBackend>(&described.id, tensor);
        }
        Ok(())
    });
    client.register(StreamId::current(), OperationIr::Custom(call), run)
}

impl Extension for Fusion<CubeBackend> {
    fn forward(operator: Arc<dyn Operator>, inputs: Tensors<Self>, indices: Indices<Self>, tracked: bool) -> Vec<Lazy> {
        let (inputs, indices) = (inputs.into_vec(), indices.into_option());
        let described = specs(inputs.iter().chain(&indices));
        let outputs = operator.outputs(&described, tracked);
        let client = inputs[0].client.clone();
        let (inputs, indices) = (taken(inputs), taken(indices));
        let all = [inputs.clone(), indices.clone()].concat();
        queue(&client, all, outputs, move |handles| {
            let (inputs, indices) = (floats(handles, &inputs), integers(handles, &indices));
            Kernels::<CubeBackend>::forward(&*operator, inputs, indices, tracked)
        })
    }

    fn backward(
        operator: Arc<dyn Operator>,
        inputs: Tensors<Self>,
        indices: Indices<Self>,
        saved: Tensors<Self>,
        begun: Tensors<Self>,
        gradient: Lazy,
        wanted: Vec<bool>,
    ) -> Vec<Option<Lazy>> {
        let (inputs, saved) = (inputs.into_vec(), saved.into_vec());
        let outputs = operator.gradients(&specs(&inputs), &specs(&saved), &spec(&gradient));
        let outputs = outputs.into_iter().zip(&wanted).filter(|(_, wanted)| **wanted).map(|(output, _)| output).collect();
        let client = gradient.client.clone();
        let (inputs, indices) = (taken(inputs), taken(indices.into_option()));
        let (saved, begun, gradient) = (taken(saved), taken(begun.into_vec()), taken([gradient]));
        let all = [inputs.clone(), indices.clone(), saved.clone(), begun.clone(), gradient.clone()].concat();
        let kinds = wanted.clone();
        let found = queue(&client, all, outputs, move |handles| {
            let (inputs, indices) = (floats(handles, &inputs), integers(handles, &indices));
            let (saved, begun) = (floats(handles, &saved), floats(handles, &begun).pop());
            let gradient = floats(handles, &gradient).swap_remove(0);
            let found = Kernels::<CubeBackend>::backward(&*operator, Kept { inputs, indices, saved, begun }, gradient, &kinds);
            let wanted = found.into_iter().zip(&kinds).filter(|(_, wanted)| **wanted);
            wanted.map(|(gradient, _)| gradient.expect("an operator gives every gradient that is wanted")).collect()
        });
        let mut found = found.into_iter();
        wanted.into_iter().map(|wanted| if wanted { found.next() } else { None }).collect()
    }
}

impl Native for Fusion<CubeBackend> {
    fn repeats(_: DType) -> bool {
        true
    }

    fn again(operator: Arc<dyn Operator>, kept: Kept<Self>) -> Vec<Lazy> {
        let Kept { inputs, indices, saved, .. } = kept;
        let outputs = operator.outputs_again(&specs(inputs.iter().chain(&indices)), &specs(&saved));
        let client = inputs.iter().chain(&saved).next().expect("something is kept").client.clone();
        let (inputs, indices, saved) = (taken(inputs), taken(indices), taken(saved));
        let all = [inputs.clone(), indices.clone(), saved.clone()].concat();
        queue(&client, all, outputs, move |handles| {
            let (inputs, indices) = (floats(handles, &inputs), integers(handles, &indices));
            Kernels::<CubeBackend>::again(&*operator, Kept { inputs, indices, saved: floats(handles, &saved), begun: None })
        })
    }

    fn place(_: &Lazy) -> Option<(usize, u64)> {
        None
    }
}
