"""What histories of people and items are worth and cost, on the embedded world."""
