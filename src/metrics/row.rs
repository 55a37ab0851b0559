//! What is counted, number by number: how a worker's numbers become those of all workers, and which of them
//! can be moved to another process.

/// One worker's numbers of one thing.
pub trait Row: Default {
    /// Those of all workers.
    type Totals: Total;

    /// Adds them.
    fn add_to(&self, totals: &mut Self::Totals);

    /// Calls `each` with every number that only grows, in an order of its own: those can be moved to
    /// another process.
    fn each(totals: &mut Self::Totals, each: &mut dyn FnMut(&mut u64));
}

/// What rows add up to.
pub trait Total: Default + Clone + std::fmt::Debug {
    /// Adds another's.
    fn add(&mut self, other: &Self);
}

/// Declares what one worker counts, number by number, and what all workers' numbers add up to. What stands
/// `beside` the numbers is not added up.
macro_rules! numbers {
    (
        $(#[$row_doc:meta])* pub struct $row:ident;
        $(#[$totals_doc:meta])* pub struct $totals:ident;
        { $($(#[$doc:meta])* $vis:vis $name:ident: $kind:ty,)+ }
        $(beside { $($(#[$more_doc:meta])* $more_vis:vis $more:ident: $more_kind:ty,)+ })?
    ) => {
        $(#[$row_doc])*
        #[derive(Debug, Default)]
        pub struct $row {
            $($(#[$doc])* $vis $name: $kind,)+
            $($($(#[$more_doc])* $more_vis $more: $more_kind,)+)?
        }

        $(#[$totals_doc])*
        #[derive(Debug, Clone, Default)]
        pub struct $totals {
            $($(#[$doc])* $vis $name: <$kind as Row>::Totals,)+
        }

        impl Row for $row {
            type Totals = $totals;

            fn add_to(&self, totals: &mut $totals) {
                $(self.$name.add_to(&mut totals.$name);)+
            }

            fn each(totals: &mut $totals, each: &mut dyn FnMut(&mut u64)) {
                $(<$kind>::each(&mut totals.$name, each);)+
            }
        }

        impl Total for $totals {
            fn add(&mut self, other: &Self) {
                $(self.$name.add(&other.$name);)+
            }
        }
    };
}
pub(super) use numbers;
