//! Gradients and parameters on their way between ranks.

use super::{
    division::Division,
    holding::Holding,
    on_devices::OnDevices,
    values::{numbers, shape_of, tensor},
};
use crate::{
    model::Transformer,
    parallel::{
        Buckets, Event, Lane, Operation, ParallelConfig, Place, Sender, Sharded, Timeline,
        group::{Group, Lost, Numbers},
    },
};
use burn::{
    module::{Module, ModuleVisitor, Param, ParamId},
    optim::GradientsParams,
    tensor::{Device, Tensor},
};
use std::{sync::Arc, time::Instant};

/// What a rank sends and receives in a step.
#[derive(Debug)]
pub struct Exchange {
    sender: Sender,
    /// Whether there is nobody to add anything to; gradients stay where they are.
    is_alone: bool,
    found: GradientsParams,
    /// Where gradients do not go through the host.
    on_devices: Option<OnDevices>,
    /// Bytes that went there, since the last look.
    unmeasured: u64,
    holding: Holding,
    /// How layers are divided among neighbours, if they are.
    division: Option<Arc<Division>>,
    operation: Operation,
    overlap: bool,
    filling: Vec<Filling>,
    /// The next bucket to be sent.
    next: usize,
    /// Parameters that had a gradient in this step.
    seen: Vec<bool>,
    timeline: Timeline,
    /// That of the last step.
    last: Timeline,
    /// When what is computed now began.
    since: f64,
}

/// A bucket that is filled.
#[derive(Clone, Debug, Default)]
struct Filling {
    values: Option<Numbers>,
    /// The same where it is not for the host.
    pieces: Vec<(usize, Tensor<1>)>,
    filled: usize,
}

impl Exchange {
    /// `devices` are those of all ranks of the group where these can add up by themselves, else none.
    pub fn new(
        group: Group,
        model: &Transformer,
        config: &ParallelConfig,
        devices: Vec<Device>,
        division: Option<Arc<Division>>,
        origin: Instant,
    ) -> Self {
        let size = group.size();
        let holding = Holding::new(group.rank(), model, |numbers, sizes| {
            let order: Vec<usize> = model.backward_order().iter().map(|id| numbers[id]).collect();
            Buckets::new(&order, sizes, config.bucket(sizes.iter().sum()), size)
        });
        Self {
            is_alone: size == 1,
            found: GradientsParams::new(),
            sender: Sender::start(group, origin, "communication"),
            on_devices: OnDevices::between(devices),
            unmeasured: 0,
            filling: vec![Filling::default(); holding.buckets.all.len()],
            seen: vec![false; holding.names.len()],
            holding,
            division,
            operation: if config.sharded >= Sharded::Gradients { Operation::ReduceOwned } else { Operation::Reduce },
            overlap: config.overlap,
            next: 0,
            timeline: Timeline::default(),
            last: Timeline::default(),
            since: 0.0,
        }
    }

    /// Whether it is known when things are sent.
    pub fn is_measured(&self) -> bool {
        self.on_devices.is_none()
    }

    /// How many parameters there are.
    pub fn parameters(&self) -> usize {
        self.holding.names.len()
    }

    /// What was computed and sent in the last step, and when.
    pub fn last_step(&self) -> &Timeline {
        &self.last
    }

    /// A computation begins.
    pub fn begin(&mut self) {
        let waited = self.waited();
        self.timeline.events.extend(waited);
        self.since = self.sender.now();
    }

    /// The computation `name` is done.
    pub fn computed(&mut self, name: &str) {
        let now = self.sender.now();
        let waited = self.waited();
        let mut compute = |until: f64, since: &mut f64| {
            let event = Event { lane: Lane::Compute, name: name.to_owned(), start: *since, seconds: until - *since };
            self.timeline.events.push(event);
            *since = until;
        };
        // While it waits for neighbours, a device does not compute.
        for event in &waited {
            compute(event.start, &mut self.since);
            self.since += event.seconds;
        }
        compute(now, &mut self.since);
        self.timeline.events.extend(waited);
    }

    /// What was sent to neighbours since the last call, and when.
    fn waited(&self) -> Vec<Event> {
        self.division.as_ref().map(|division| division.ring.events()).unwrap_or_default()
    }

    /// Whether neighbours have a part each of a parameter, by its number.
    pub fn divides(&self, number: usize) -> bool {
        self.division.as_ref().is_some_and(|division| division.divides(self.holding.id(number)))
    }

    /// Takes gradients that are complete, and adds them to those of earlier micro-batches; buckets that are full go on their way.
    ///
    /// # Errors
    ///
    /// A neighbour is lost.
    pub fn deliver(&mut self, model: &Transformer, gradients: GradientsParams, earlier: &mut GradientsParams) -> Result<(), Lost> {
        let mut complete = Complete { gradients, earlier, sum: GradientsParams::new() };
        model.visit(&mut complete);
        let mut gradients = complete.sum;
        if let Some(division) = &self.division {
            gradients = division.summed(model, gradients)?;
        }
        if self.is_alone {
            model.visit(&mut Pick { wanted: |_| true, from: gradients, to: &mut self.found });
            return Ok(());
        }
        model.visit(&mut Deliver { exchange: self, gradients });
        if self.overlap {
            while self.next < self.holding.buckets.all.len()
                && self.filling[self.next].filled == self.holding.buckets.all[self.next].parameters.len()
            {
                self.send_next(model);
            }
        }
        Ok(())
    }

    fn send_next(&mut self, model: &Transformer) {
        let bucket = &self.holding.buckets.all[self.next];
        let Filling { values, pieces, .. } = std::mem::take(&mut self.filling[self.next]);
        if let Some(on_devices) = &mut self.on_devices {
            self.unmeasured += 4 * bucket.count as u64;
            on_devices.send(pieces, bucket.count, &model.devices()[0].clone().inner());
            self.next += 1;
            return;
        }
        let values = values.unwrap_or_else(|| Numbers::F32(vec![0.0; bucket.count]));
        let name = |place: Option<&usize>| place.map(|number| self.holding.names[*number].clone()).unwrap_or_default();
        let (first, last) = (name(bucket.parameters.first()), name(bucket.parameters.last()));
        let name = if first == last { first } else { format!("{first} to {last}") };
        self.sender.send(name, self.operation, values, &bucket.parts);
        self.next += 1;
    }

    /// The sums of all gradients of the step; of those that this rank owns where gradients are shared out.
    ///
    /// # Errors
    ///
    /// A rank that is lost.
    pub fn finish(&mut self, model: &Transformer) -> Result<GradientsParams, Lost> {
        if self.is_alone {
            return Ok(std::mem::replace(&mut self.found, GradientsParams::new()));
        }
        // What is still missing has no gradient: with all ranks, since they have the same model.
        while self.next < self.holding.buckets.all.len() {
            self.send_next(model);
        }
        self.next = 0;
        let sums = self.received()?;
        let seen = std::mem::replace(&mut self.seen, vec![false; self.holding.names.len()]);
        let reduced = self.on_devices.as_mut().map(OnDevices::sums).unwrap_or_default();
        let mut fetch = Fetch { exchange: self, sums, reduced, seen, found: GradientsParams::new() };
        model.visit(&mut fetch);
        Ok(fetch.found)
    }

    /// Leaves the gradients of what this rank owns.
    pub fn own(&self, model: &Transformer, gradients: GradientsParams) -> GradientsParams {
        let mut own = GradientsParams::new();
        model.visit(&mut Pick { wanted: |id| self.owns(id), from: gradients, to: &mut own });
        own
    }

    /// Whether this rank owns a parameter.
    pub fn owns(&self, id: ParamId) -> bool {
        self.holding.owns(id)
    }

    /// The model with every parameter as its owner has it.
    ///
    /// # Errors
    ///
    /// A rank that is lost.
    pub fn gather(&mut self, model: &Transformer) -> Result<Transformer, Lost> {
        if self.is_alone {
            return Ok(model.clone());
        }
        for (number, bucket) in self.holding.buckets.all.iter().enumerate() {
            self.sender.send("parameters", Operation::Gather, self.holding.packed(model, number), &bucket.parts);
        }
        let all = self.received()?;
        Ok(self.holding.filled(model.clone(), |bucket| all.get(bucket)))
    }

    /// All buckets that were handed over, in their order.
    fn received(&mut self) -> Result<Vec<Numbers>, Lost> {
        std::iter::from_fn(|| self.sender.receive().transpose()).collect()
    }

    /// Ends a step, in which other things were sent as well: bytes that were sent, seconds of sending, and those beside which
    /// nothing was computed.
    pub fn end_step(&mut self, others: Vec<Event>, bytes: u64) -> [f64; 3] {
        self.timeline.events.extend(self.sender.events());
        self.timeline.events.extend(others);
        let timeline = std::mem::take(&mut self.timeline);
        let bytes = self.sender.bytes() + std::mem::take(&mut self.unmeasured) + bytes;
        let measured = [bytes as f64, timeline.sending(), timeline.sending_alone()];
        self.last = timeline;
        measured
    }
}

/// Adds what earlier micro-batches have found.
struct Complete<'a> {
    gradients: GradientsParams,
    earlier: &'a mut GradientsParams,
    sum: GradientsParams,
}

impl ModuleVisitor for Complete<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(gradient) = self.gradients.remove::<D>(param.id) else { return };
        let gradient = match self.earlier.remove::<D>(param.id) {
            Some(earlier) => earlier + gradient,
            None => gradient,
        };
        self.sum.register(param.id, gradient);
    }
}

/// Puts the gradients of those parameters that are wanted beside others.
struct Pick<'a, F> {
    wanted: F,
    from: GradientsParams,
    to: &'a mut GradientsParams,
}

impl<F: Fn(ParamId) -> bool> ModuleVisitor for Pick<'_, F> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.from.remove::<D>(param.id).filter(|_| (self.wanted)(param.id)) {
            self.to.register(param.id, gradient);
        }
    }
}

struct Deliver<'a> {
    exchange: &'a mut Exchange,
    gradients: GradientsParams,
}

impl ModuleVisitor for Deliver<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(gradient) = self.gradients.remove::<D>(param.id) else { return };
        let number = self.exchange.holding.number(param.id);
        let Place { bucket, start, count } = self.exchange.holding.place(param.id);
        let filling = &mut self.exchange.filling[bucket];
        if self.exchange.on_devices.is_some() {
            filling.pieces.push((start, gradient.reshape([count])));
        } else {
            let values = numbers(gradient);
            filling.values.get_or_insert_with(|| values.zeros(self.exchange.holding.buckets.all[bucket].count)).put(start, &values);
        }
        filling.filled += 1;
        self.exchange.seen[number] = true;
    }
}

struct Fetch<'a> {
    exchange: &'a Exchange,
    sums: Vec<Numbers>,
    /// The same on the device.
    reduced: Vec<Tensor<1>>,
    seen: Vec<bool>,
    found: GradientsParams,
}

impl ModuleVisitor for Fetch<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let number = self.exchange.holding.number(param.id);
        let mine = self.exchange.operation == Operation::Reduce || self.exchange.owns(param.id);
        if self.seen[number] && mine {
            let Place { bucket, start, count } = self.exchange.holding.place(param.id);
            let sum = match self.reduced.get(bucket) {
                Some(sum) => sum.clone().slice(start..start + count).reshape(shape_of(param)),
                None => tensor(self.sums[bucket].part(start..start + count), shape_of(param), &param.lazy_device().inner()),
            };
            self.found.register(param.id, sum);
        }
    }
}
