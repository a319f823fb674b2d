module vestibule.test/peer

go 1.24
