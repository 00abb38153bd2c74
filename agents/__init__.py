"""Everything that acts or judges: baselines, policies and the engines that train them."""
