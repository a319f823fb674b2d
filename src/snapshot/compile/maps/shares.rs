//! `shares` of a map.

use super::super::Compiler;
use super::Values;
use crate::config::{self, path_to};
use crate::variables::Shares;

impl Compiler {
    pub(super) fn map_shares<'m>(&mut self, name: &str, written: &'m config::Map, values: &mut Values<'m>) -> Option<Shares> {
        let path = |index: usize, key: &str| path_to!["map", name, "shares", index, key].to_vec();
        if written.has_rows() {
            self.wrong_key(&path_to!["map", name, "shares"], "`shares` stand alone: every text has one of them, so no row would be asked")
                .help("a [map.NAME] of its own, whose variable may be a value here");
        }
        let (mut shares, mut sum, mut rest) = (Shares::default(), 0, None);
        for (index, share) in written.shares.iter().enumerate() {
            if let Some(rest) = rest {
                let place = self.places.value(&path_to!["map", name, "shares", rest]);
                self.wrong(&path_to!["map", name, "shares", index], "nothing is left for this share")
                    .label(format!("one without `percent` takes all the rest ({place}): put it last"));
                break;
            }
            let hundredths = share.percent.map(|percent| (percent * 100.0).round() as u32);
            sum += hundredths.unwrap_or(0);
            if sum > Shares::WHOLE {
                let so_far = f64::from(sum) / 100.0;
                self.wrong(&path(index, "percent"), format!("the shares add up to {so_far} %")).label("100 is all there is");
                break;
            }
            if hundredths.is_none() {
                rest = Some(index);
            }
            let value = self.value(values, &share.value, || path(index, "value"));
            value.into_iter().for_each(|value| shares.add(hundredths, value));
        }
        if let Some(rest) = rest.filter(|_| sum == Shares::WHOLE) {
            let place = self.places.value(&path_to!["map", name, "shares", rest]);
            let problem = "nothing is left for this share: the others add up to 100 %";
            self.diagnostics.warning("empty-share", place, problem).help("leave it out, or make the others smaller");
        }
        Some(shares)
    }
}
