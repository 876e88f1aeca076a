namespace java l7codecs.armeria

exception Gone {
    1: string why
}

service Shop {
    string hello(1: string name)
    string declared(1: string text) throws (1: Gone gone)
    string failing(1: string text)
    void nothing()
    oneway void fire(1: string name)
}

// What servers of Shop do not have.
service Wider extends Shop {
    string notThere(1: string name)
}
