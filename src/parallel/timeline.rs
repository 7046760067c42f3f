//! A backward pass whose gradients are reduced in buckets while it goes on (Li et al. 2020, "PyTorch Distributed", section 3.2.3).

/// Where an event happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// The device computes.
    Compute,
    /// Its links are busy, for a purpose: each has a row of its own in a trace.
    Link(&'static str),
}

impl Lane {
    /// Whatever is sent.
    fn is_link(self) -> bool {
        self != Self::Compute
    }
}

/// Something that takes time.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Where.
    pub lane: Lane,
    /// What.
    pub name: String,
    /// When it begins, in seconds.
    pub start: f64,
    /// How long it takes, in seconds.
    pub seconds: f64,
}

/// What happens when.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timeline {
    /// Events, each lane in the order of time.
    pub events: Vec<Event>,
}

/// What it takes to start a collective, in seconds.
const LATENCY: f64 = 20e-6;

impl Timeline {
    /// The backward pass through layers, given in its order with the seconds that each takes and the bytes that its gradients
    /// send; buckets of `bucket` bytes at least are sent one after the other, each as soon as it is full.
    pub fn backward(layers: &[(String, f64, f64)], bucket: f64, rate: f64) -> Self {
        let mut timeline = Self::default();
        let (mut now, mut free, mut waiting, mut first) = (0.0, 0.0f64, 0.0, None);
        for (at, (name, seconds, bytes)) in layers.iter().enumerate() {
            timeline.add(Lane::Compute, name.clone(), now, *seconds);
            now += seconds;
            waiting += bytes;
            let begin = first.get_or_insert_with(|| name.clone());
            let last = at + 1 == layers.len();
            if waiting > 0.0 && (waiting >= bucket || last) {
                let name = if begin == name { name.clone() } else { format!("{begin} to {name}") };
                let start = free.max(now);
                let seconds = LATENCY + waiting / rate;
                timeline.add(Lane::Link("communication"), name, start, seconds);
                (free, waiting, first) = (start + seconds, 0.0, None);
            }
        }
        timeline
    }

    fn add(&mut self, lane: Lane, name: String, start: f64, seconds: f64) {
        self.events.push(Event { lane, name, start, seconds });
    }

    /// Seconds in which something is sent, each counted once.
    pub fn sending(&self) -> f64 {
        self.spans(true).into_iter().map(|(start, end)| end - start).sum()
    }

    /// When something is sent, or else computed: spans that do not touch, in the order of time.
    fn spans(&self, sent: bool) -> Vec<(f64, f64)> {
        let mut events: Vec<_> = self
            .events
            .iter()
            .filter(|event| event.lane.is_link() == sent)
            .map(|event| (event.start, event.start + event.seconds))
            .collect();
        events.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut spans: Vec<(f64, f64)> = vec![];
        for (start, end) in events {
            match spans.last_mut().filter(|last| start <= last.1) {
                Some(last) => last.1 = last.1.max(end),
                None => spans.push((start, end)),
            }
        }
        spans
    }

    /// When all is sent, or else computed.
    fn end(&self, sent: bool) -> f64 {
        self.spans(sent).last().map_or(0.0, |last| last.1)
    }

    /// Seconds in which something is sent and nothing computed.
    pub fn sending_alone(&self) -> f64 {
        let computed = self.spans(false);
        let beside = |(start, end): (f64, f64)| computed.iter().map(|(from, to)| (end.min(*to) - start.max(*from)).max(0.0)).sum::<f64>();
        self.spans(true).into_iter().map(|span| span.1 - span.0 - beside(span)).sum()
    }

    /// Seconds of sending after the last computation.
    pub fn exposed(&self) -> f64 {
        (self.end(true) - self.end(false)).max(0.0)
    }

    /// The share of sending that computation hides; 1 where nothing is sent.
    pub fn hidden(&self) -> f64 {
        let sent = self.sending();
        if sent == 0.0 { 1.0 } else { 1.0 - self.exposed() / sent }
    }

    /// As a trace that `chrome://tracing` and Perfetto show: a row for each lane.
    pub fn trace(&self) -> serde_json::Value {
        let mut lanes = vec![Lane::Compute];
        for event in &self.events {
            if !lanes.contains(&event.lane) {
                lanes.push(event.lane);
            }
        }
        let row = |lane: Lane| lanes.iter().position(|known| *known == lane);
        let event = |event: &Event| {
            serde_json::json!({
                "name": event.name, "ph": "X", "pid": 0, "tid": row(event.lane), "ts": event.start * 1e6, "dur": event.seconds * 1e6,
            })
        };
        let named = |lane: &Lane| {
            let name = match lane {
                Lane::Compute => "compute",
                Lane::Link(purpose) => purpose,
            };
            serde_json::json!({ "name": "thread_name", "ph": "M", "pid": 0, "tid": row(*lane), "args": { "name": name } })
        };
        serde_json::json!({ "traceEvents": lanes.iter().map(named).chain(self.events.iter().map(event)).collect::<Vec<_>>() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(count: usize, seconds: f64, bytes: f64) -> Vec<(String, f64, f64)> {
        (0..count).rev().map(|layer| (format!("layers.{layer}"), seconds, bytes)).collect()
    }

    #[test]
    fn sending_hides_behind_what_is_still_computed() {
        // Half as long to send as to compute: only the last layer's gradients are left over.
        let timeline = Timeline::backward(&layers(10, 1.0, 0.5), 0.0, 1.0);
        assert!((timeline.exposed() - 0.5).abs() < 1e-3 && (timeline.hidden() - 0.9).abs() < 1e-3, "{timeline:?}");
        assert_eq!(timeline.end(false), 10.0);
        // Twice as long: sending goes on after the end, without a pause.
        let timeline = Timeline::backward(&layers(10, 1.0, 2.0), 0.0, 1.0);
        assert!((timeline.exposed() - 11.0).abs() < 1e-3, "{timeline:?}");
        assert!((timeline.sending_alone() - timeline.exposed()).abs() < 1e-9);
        assert!(
            (timeline.sending() - timeline.sending_alone() - 9.0).abs() < 1e-2,
            "nothing is sent before the first layer is done: {timeline:?}"
        );
        // One bucket for all hides nothing.
        let timeline = Timeline::backward(&layers(10, 1.0, 0.5), 1e9, 1.0);
        assert!(timeline.hidden().abs() < 1e-9, "{timeline:?}");
        assert_eq!(timeline.events.last().unwrap().name, "layers.9 to layers.0");
        assert_eq!(Timeline::backward(&layers(3, 1.0, 0.0), 1.0, 1.0).hidden(), 1.0);
    }

    #[test]
    fn one_thing_at_a_time_on_each_lane() {
        for (bytes, bucket) in [(0.3, 0.0), (3.0, 4.0), (1.0, 2.5)] {
            let timeline = Timeline::backward(&layers(9, 0.7, bytes), bucket, 1.0);
            for sent in [false, true] {
                let events: Vec<&Event> = timeline.events.iter().filter(|event| event.lane.is_link() == sent).collect();
                assert!(events.windows(2).all(|pair| pair[0].start + pair[0].seconds <= pair[1].start + 1e-12));
            }
            assert!((timeline.sending() - 9.0 * bytes).abs() < 1e-2, "everything is sent");
        }
    }

    #[test]
    fn traces_have_a_row_for_each_lane() {
        let trace = Timeline::backward(&layers(2, 1.0, 1.0), 0.0, 1.0).trace();
        let events = trace["traceEvents"].as_array().unwrap();
        assert_eq!(events.len(), 2 + 4);
        assert_eq!([0, 1].map(|row| events[row]["args"]["name"].as_str().unwrap()), ["compute", "communication"]);
        assert_eq!((&events[2]["name"], &events[2]["ts"], &events[2]["dur"]), (&"layers.1".into(), &0.0.into(), &1e6.into()));
    }
}
