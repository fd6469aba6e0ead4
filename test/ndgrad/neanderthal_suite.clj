(in-ns 'ndgrad.neanderthal-test)

(require '[clojure.test :refer [testing]]
         '[ndgrad.check :as check]
         '[ndgrad.core :as nd]
         '[ndgrad.neanderthal :as neanderthal]
         '[ndgrad.test-main :as test-main]
         '[uncomplicate.commons.core :as commons :refer [info release with-release]]
         '[uncomplicate.neanderthal.core :as n :refer [transfer!]]
         '[uncomplicate.neanderthal.internal.api :as api]
         '[uncomplicate.neanderthal.native :as native]
         '[uncomplicate.neanderthal.vect-math :as vect-math])
(import '(com.sun.management ThreadMXBean)
        '(java.lang.management ManagementFactory)
        '(ndgrad ArgumentException Array DTypeException GraphException MutationException ShapeException)
        '(ndgrad.blas Engines)
        '(org.bytedeco.javacpp Pointer)
        '(uncomplicate.neanderthal.internal.api Block))

(set! *warn-on-reflection* true)

;; ---- the same elements, one by one --------------------------------------------------------------

(def ^:private factories
  {:float32 native/native-float, :float64 native/native-double, :int32 native/native-int, :int64 native/native-long})

(defn- listed
  "The elements of a vector or matrix as nested vectors, by Neanderthal's own access to one element."
  [x]
  (if (n/matrix? x)
    (vec (for [i (range (n/mrows x))] (vec (for [j (range (n/ncols x))] (n/entry x i j)))))
    (vec (for [i (range (n/dim x))] (n/entry x i)))))

(defn- numbered
  "A GE matrix whose elements all differ."
  [factory m n layout]
  (n/ge factory m n (range 1 (inc (* (long m) (long n)))) {:layout layout}))

(defn- vectors
  "Vectors of `factory` of all kinds, by name."
  [factory]
  (let [v (n/vctr factory (range 1 41))
        a (numbered factory 5 7 :column)
        b (numbered factory 5 7 :row)]
    {"empty" (n/vctr factory 0)
     "one" (n/vctr factory [3])
     "whole" v
     "part" (n/subvector v 3 11)
     "every third" (n/view-vctr v 3)
     "part of every third" (n/subvector (n/view-vctr v 3) 2 5)
     "long, every second" (n/view-vctr (n/vctr factory (range 5000)) 2)
     "a row of columns" (n/row a 2)
     "a column of columns" (n/col a 2)
     "a row of rows" (n/row b 2)
     "a column of rows" (n/col b 2)
     "the diagonal" (n/dia a)
     "a lower diagonal" (n/dia a -2)
     "a row of a transpose" (n/row (n/trans a) 3)
     "backwards" (api/create-vector factory false (.buffer ^Block v) 4 9 -2)
     "the same again and again" (api/create-vector factory false (.buffer ^Block v) 4 9 0)
     "empty part" (n/subvector v 5 0)}))

(defn- matrices
  "GE matrices of `factory` of all kinds, by name."
  [factory]
  (into {}
        (for [layout [:column :row]
              :let [a (numbered factory 5 7 layout)]
              [kind x] {"whole" a
                        "transposed" (n/trans a)
                        "part" (n/submatrix a 1 2 3 4)
                        "part of a transpose" (n/submatrix (n/trans a) 2 1 4 3)
                        "rows of a part" (n/submatrix a 0 0 5 1)
                        "columns of a part" (n/submatrix a 1 0 1 7)
                        "of one" (numbered factory 1 1 layout)
                        "a row" (numbered factory 1 6 layout)
                        "a column" (numbered factory 6 1 layout)
                        "large" (numbered factory 70 90 layout)
                        "large part" (n/submatrix (numbered factory 70 90 layout) 3 5 60 71)
                        "every second stripe" (n/view-ge a 2)
                        "a vector as a matrix" (n/view-ge (n/vctr factory (range 12)) 3 4)
                        "without rows" (n/ge factory 0 3 {:layout layout})
                        "without columns" (n/ge factory 3 0 {:layout layout})}]
          [(str kind ", " (name layout)) x])))

(defn- structures [factory] (merge (vectors factory) (matrices factory)))

(defn- shape [x] (if (n/matrix? x) [(n/mrows x) (n/ncols x)] [(n/dim x)]))

;; ---- Neanderthal -> ndgrad ------------------------------------------------------------------------

(deftest every-vector-and-matrix-becomes-an-array
  (doseq [[dtype factory] factories
          [kind x] (structures factory)
          :let [a (neanderthal/array x)]]
    (testing (str dtype " " kind)
      (is (= dtype (nd/dtype a)))
      (is (= (shape x) (nd/shape a)))
      (is (= (listed x) (nd/tolist a)))
      (is (nd/leaf? a))
      (is (zero? (nd/version a))))))

(deftest a-dense-matrix-keeps-its-order
  (is (= [8 16] (nd/strides (neanderthal/array (native/dge 2 3 (range 6))))))
  (is (= [24 8] (nd/strides (neanderthal/array (native/dge 2 3 (range 6) {:layout :row})))))
  (is (= [24 8] (nd/strides (nd/copy (neanderthal/array (native/dge 2 3 (range 6))))))))

(deftest an-array-has-elements-of-its-own
  (let [x (native/dv 1 2 3)
        a (neanderthal/array x)]
    (n/entry! x 0 10.0)
    (is (= [1.0 2.0 3.0] (nd/tolist a)))
    (nd/set! a [1] 20)
    (is (= 2.0 (n/entry x 1)))
    (release x)
    (is (= [1.0 20.0 3.0] (nd/tolist a)))))

(deftest options-of-array
  (let [x (native/dge 2 2 [1 2 3 4])
        a (neanderthal/array x {:dtype :float32 :requires-grad true})]
    (is (= :float32 (nd/dtype a)))
    (is (nd/requires-grad? a))
    (nd/backward! (nd/sum (nd/* a a)))
    (is (= [[2.0 6.0] [4.0 8.0]] (nd/tolist (nd/grad-of a))))
    (nd/no-grad (nd/mul! a 2))
    (is (= [[2.0 6.0] [4.0 8.0]] (nd/tolist a)) "a leaf in column order can be written to")
    (is (thrown? ArgumentException (neanderthal/array x {:order :row})))))

(deftest matrices-that-store-a-part-give-all-entries
  (let [matrix (fn [rows] (mapv #(mapv double %) rows))]
    (doseq [[x rows]
            [[(native/dtr 3 [1 2 3 4 5 6]) [[1 0 0] [2 4 0] [3 5 6]]]
             [(native/dtr 3 [1 2 3 4 5 6] {:uplo :upper :layout :row}) [[1 2 3] [0 4 5] [0 0 6]]]
             [(native/dtr 2 [7 2 8] {:diag :unit}) [[1 0] [7 1]]]
             [(native/dsy 3 [1 2 3 4 5 6]) [[1 2 3] [2 4 5] [3 5 6]]]
             [(native/dgb 3 4 1 1 (range 1 9)) [[1 3 0 0] [2 4 6 0] [0 5 7 8]]]
             [(native/dtb 3 1 (range 1 6)) [[1 0 0] [2 3 0] [0 4 5]]]
             [(native/dsb 3 1 (range 1 6)) [[1 2 0] [2 3 4] [0 4 5]]]
             [(native/dtp 3 (range 1 7)) [[1 0 0] [2 4 0] [3 5 6]]]
             [(native/dsp 3 (range 1 7)) [[1 2 3] [2 4 5] [3 5 6]]]
             [(native/dgd 3 [1 2 3]) [[1 0 0] [0 2 0] [0 0 3]]]
             [(native/dgt 3 (range 1 8)) [[1 4 0] [6 2 5] [0 7 3]]]
             [(native/ddt 3 (range 1 8)) [[1 4 0] [6 2 5] [0 7 3]]]
             [(native/dst 3 (range 1 6)) [[1 4 0] [4 2 5] [0 5 3]]]]]
      (testing (n/matrix-type x)
        (is (= (matrix rows) (nd/tolist (neanderthal/array x))))))))

(deftest what-cannot-become-an-array-says-why
  (is (thrown-with-msg? DTypeException #"entries of type short.*transfer" (neanderthal/array (native/sv 1 2))))
  (is (thrown-with-msg? DTypeException #"entries of type byte" (neanderthal/array (native/bv 1 2 3 4))))
  (is (thrown-with-msg? ArgumentException #"expected a vector or matrix" (neanderthal/array [1 2])))
  (is (thrown-with-msg? ArgumentException #"expected a vector or matrix" (neanderthal/array nil)))
  (is (thrown-with-msg? ArgumentException #"expected a vector or matrix" (neanderthal/array (nd/zeros [2]))))
  (doseq [x [(native/dv 1 2) (native/dge 2 2)]]
    (release x)
    (is (thrown-with-msg? ArgumentException #"was released" (neanderthal/array x)))
    (is (thrown-with-msg? ArgumentException #"was released" (transfer! x (nd/zeros (shape x)))))
    (is (thrown-with-msg? ArgumentException #"was released" (transfer! (nd/zeros (shape x)) x)))))

;; ---- ndgrad -> Neanderthal ------------------------------------------------------------------------

(defn- arrays
  "Arrays of all layouts, by name."
  [dtype]
  (let [v (nd/arange 1 25 1 {:dtype dtype})
        a (nd/reshape v [4 6])
        cube (nd/reshape v [2 3 4])]
    {"vector" v
     "empty" (nd/get v (nd/slice 3 3))
     "one" (nd/get v (nd/slice 1))
     "every third" (nd/get v (nd/slice nil nil 3))
     "reversed" (nd/flip v)
     "every second, reversed" (nd/get v (nd/slice nil nil -2))
     "stretched number" (nd/broadcast-to (nd/get v (nd/slice 2 3)) [5])
     "a column" (nd/get a :all 2)
     "the diagonal" (nd/diagonal a)
     "matrix" a
     "transposed" (nd/T a)
     "part" (nd/get a (nd/slice 1 3) (nd/slice 2 5))
     "part of a transpose" (nd/get (nd/T a) (nd/slice 1 3) (nd/slice 2 4))
     "rows reversed" (nd/flip a {:axis 0})
     "columns reversed" (nd/flip a {:axis 1})
     "transposed, reversed" (nd/flip (nd/T a))
     "every second column" (nd/get a :all (nd/slice nil nil 2))
     "every second row of the transpose" (nd/get (nd/T a) (nd/slice nil nil 2))
     "rows alike" (nd/broadcast-to (nd/get v (nd/slice 3)) [4 3])
     "columns alike" (nd/broadcast-to (nd/reshape (nd/get v (nd/slice 3)) [3 1]) [3 4])
     "all alike" (nd/broadcast-to (nd/get v 3) [3 4])
     "one row" (nd/get a (nd/slice 1 2))
     "one column" (nd/get a :all (nd/slice 1 2))
     "a slice of a cube" (nd/get cube :all 1)
     "another slice of a cube" (nd/get cube :all :all 2)
     "without rows" (nd/zeros [0 3] {:dtype dtype})
     "without columns" (nd/zeros [3 0] {:dtype dtype})}))

(deftest every-array-becomes-a-vector-or-matrix
  (doseq [dtype (keys factories)
          [kind a] (arrays dtype)]
    (testing (str dtype " " kind)
      (let [x (neanderthal/native a)]
        (is (= (nd/tolist a) (listed x)))
        (is (= (api/data-accessor x) (api/data-accessor (factories dtype)))))
      (when (= 2 (nd/ndim a))
        (doseq [layout [:row :column]
                :let [x (neanderthal/native a {:layout layout})]]
          (is (= (nd/tolist a) (listed x)))
          (is (= layout (info x :layout))))))))

(deftest an-array-keeps-its-order
  (let [a (nd/reshape (nd/arange 6.0) [2 3])]
    (is (= :row (info (neanderthal/native a) :layout)))
    (is (= :column (info (neanderthal/native (nd/T a)) :layout)))
    (is (= :column (info (neanderthal/native (neanderthal/array (native/dge 3 2))) :layout)))))

(deftest neanderthal-takes-arrays-as-sources
  (let [v (nd/array [1.0 2.0 3.0])
        a (nd/array [[1 2 3] [4 5 6]])]
    (is (= (native/dv 1 2 3) (native/dv v) (n/vctr native/native-double v) (n/transfer v)))
    (is (= (native/fv 1 2 3) (native/fv v) (n/transfer native/native-float v)))
    (is (= (native/iv 1 2 3) (native/iv v)))
    (is (= [[1.0 2.0 3.0] [4.0 5.0 6.0]] (listed (native/dge a)) (listed (native/dge 2 3 a))
           (listed (native/fge 2 3 a {:layout :row}))))
    (is (= [[1 2 3] [4 5 6]] (listed (n/native a)) (listed (n/transfer a))))
    (is (= [2 3] (shape (api/raw a))))
    (is (= [[0 0 0] [0 0 0]] (listed (n/zero a))))
    (is (= [0.0 0.0 0.0] (listed (n/zero native/native-float v))))
    (is (= (native/dv 1 2) (native/dv (nd/array [1.0 2.0] {:requires-grad true}))))))

(deftest what-neanderthal-does-not-have-says-what-to-do
  (is (thrown-with-msg? DTypeException #"no bool.*astype" (neanderthal/native (nd/array [true]))))
  (is (thrown-with-msg? DTypeException #"no bool.*astype" (native/iv (nd/array [true]))))
  (is (thrown-with-msg? ShapeException #"nd/item" (neanderthal/native (nd/array 1.0))))
  (is (thrown-with-msg? ShapeException #"3 axes.*reshape" (neanderthal/native (nd/zeros [2 2 2]))))
  (is (thrown-with-msg? ShapeException #"3 axes.*reshape" (native/dge (nd/zeros [2 2 2]))))
  (is (thrown-with-msg? ArgumentException #":layout" (neanderthal/native (nd/zeros [2 2]) {:layout :rows})))
  (is (thrown-with-msg? ArgumentException #"unknown option" (neanderthal/native (nd/zeros [2 2]) {:order :row})))
  (is (thrown-with-msg? ArgumentException #"cannot make an array" (neanderthal/native :a))))

;; ---- transfer! -------------------------------------------------------------------------------------

(deftest transfer-into-every-vector-and-matrix
  (doseq [[dtype factory] factories
          source [:float64 :int64 :bool]
          [kind x] (dissoc (structures factory) "the same again and again")
          :let [a (nd/astype (nd/reshape (nd/arange (double (apply * (shape x)))) (shape x)) source)]]
    (testing (str source " into " dtype " " kind)
      (is (identical? x (transfer! a x)))
      (is (= (nd/tolist (nd/astype a dtype)) (listed x)))))
  (testing "and leaves what lies between alone"
    (let [x (native/dv (range 9))]
      (transfer! (nd/array [10.0 20.0 30.0]) (n/view-vctr x 3))
      (is (= [10.0 1.0 2.0 20.0 4.0 5.0 30.0 7.0 8.0] (listed x))))
    (let [a (native/dge 3 3 (range 9))]
      (transfer! (nd/array [[10.0 20.0] [30.0 40.0]]) (n/submatrix a 1 1 2 2))
      (is (= [[0.0 3.0 6.0] [1.0 10.0 20.0] [2.0 30.0 40.0]] (listed a))))))

(deftest transfer-into-every-array
  (doseq [dtype (keys factories)
          source [:float64 :int32]
          kind (remove #(re-find #"alike|stretched" %) (keys (arrays dtype)))
          layout [:column :row]
          :let [a ((arrays dtype) kind)
                values (nd/reshape (nd/arange 100 (+ 100 (nd/size a)) 1 {:dtype source}) (nd/shape a))
                x (neanderthal/native values (when (= 2 (nd/ndim a)) {:layout layout}))
                around (nd/copy (nd/wrap (nd/data a)))
                before (nd/version a)]]
    (testing (str source " of " layout " into " dtype " " kind)
      (is (identical? a (transfer! x a)))
      (is (= (nd/tolist (nd/astype values dtype)) (nd/tolist a)))
      (is (= (inc (long before)) (nd/version a)))
      (is (= (- (nd/size around) (nd/size a))
             (nd/item (nd/sum (nd/== around (nd/wrap (nd/data a))))))
          "what is no element of it stays"))))

(deftest transfer-between-arrays
  (let [a (nd/zeros [2 2])]
    (transfer! (nd/array [[1 2] [3 4]]) a)
    (is (= [[1.0 2.0] [3.0 4.0]] (nd/tolist a)))
    (is (= 1 (nd/version a)))))

(deftest a-matrix-that-stores-a-part-goes-into-an-array
  (is (= [[1.0 2.0] [2.0 3.0]] (nd/tolist (transfer! (native/dsy 2 [1 2 3]) (nd/zeros [2 2]))))))

(deftest sizes-must-fit-and-nothing-is-written-otherwise
  (let [a (nd/zeros [2 2])
        x (native/dge 2 3 (range 6))
        v (native/dv 1 2 3 4)]
    (doseq [bad [#(transfer! x a) #(transfer! v a) #(transfer! a x) #(transfer! a v)]]
      (is (thrown? ShapeException (bad))))
    (is (thrown-with-msg? ArgumentException #"tr matrix: transfer it to a GE" (transfer! a (native/dtr 2))))
    (is (thrown-with-msg? ArgumentException #"broadcast view" (transfer! v (nd/broadcast-to (nd/ones [1]) [4]))))
    (is (thrown-with-msg? DTypeException #"short" (transfer! (native/sv 1 2) (nd/zeros [2]))))
    (is (= [[0.0 0.0] [0.0 0.0]] (nd/tolist a)))
    (is (zero? (nd/version a)))
    (is (= (range 6) (map long (apply concat (seq x)))))
    (is (= [1.0 2.0 3.0 4.0] (listed v)))))

(deftest a-write-into-a-saved-array-is-noticed-by-backward
  (doseq [x [(native/dv 5 6) (native/fv 5 6)]]
    (let [w (nd/array [1.0 2.0] {:requires-grad true})
          saved (nd/array [3.0 4.0])
          y (nd/sum (nd/* w saved))]
      (transfer! x saved)
      (let [e (is (thrown? MutationException (nd/backward! y)))]
        (is (str/includes? (ex-message e) "transfer!")))
      (is (nil? (nd/grad-of w))))))

(deftest a-write-has-its-place-in-the-graph
  (testing "a leaf is overwritten"
    (let [w (nd/array [1.0 2.0] {:requires-grad true})]
      (transfer! (native/dv 5 6) w)
      (is (= [5.0 6.0] (nd/tolist w)))
      (is (nd/leaf? w))
      (nd/backward! (nd/sum (nd/* w w)))
      (is (= [10.0 12.0] (nd/tolist (nd/grad-of w))))))
  (testing "what was computed loses its history"
    (let [w (nd/array [1.0 2.0 3.0] {:requires-grad true})
          y (nd/* w 2)]
      (transfer! (native/dv 5 6) (nd/get y (nd/slice 2)))
      (nd/backward! (nd/sum (nd/* y y)))
      (is (= [0.0 0.0 24.0] (nd/tolist (nd/grad-of w))))))
  (testing "a view of a leaf is refused"
    (let [w (nd/array [1.0 2.0 3.0] {:requires-grad true})]
      (is (thrown? GraphException (transfer! (native/dv 5 6) (nd/get w (nd/slice 2)))))
      (is (= [1.0 2.0 3.0] (nd/tolist w))))))

(defn- allocated
  "Bytes that this thread allocates while it runs `f`."
  [f]
  (let [^ThreadMXBean bean (ManagementFactory/getThreadMXBean)
        before (.getCurrentThreadAllocatedBytes bean)]
    (f)
    (- (.getCurrentThreadAllocatedBytes bean) before)))

(deftest transfers-make-nothing-per-element
  (let [n 1000
        a (nd/zeros [n n])
        columns (native/dge n n)
        rows (native/dge n n {:layout :row})]
    (doseq [[what f] {"into an array" #(transfer! rows a)
                      "into the transpose" #(transfer! columns (nd/T a))
                      "out of an array" #(transfer! a rows)
                      "out of the transpose" #(transfer! (nd/T a) columns)
                      "a strided vector" #(transfer! (n/row columns 3) (nd/get a 3))}]
      (f)
      (testing what
        (is (> 100000 (allocated f)))))))

;; ---- what Neanderthal asks of its structures ---------------------------------------------------------

(deftest an-array-is-released-by-the-garbage-collector
  (let [a (nd/array [1.0 2.0])]
    (is (true? (release a)))
    (is (= [1.0 2.0] (nd/tolist a)))
    (is (= [1.0 2.0] (with-release [b a] (nd/tolist b))))
    (is (true? (release [a (native/dv 1)])))))

(deftest an-array-has-info
  (let [a (nd/T (nd/zeros [2 3] {:dtype :float32 :requires-grad true}))]
    (is (= {:class Array, :entry-type Float/TYPE, :dtype :float32, :device :cpu, :dim 6, :shape [3 2], :offset 0
            :strides [1 3], :requires-grad true, :version 0, :engine (.name (Engines/current))}
           (info a)))
    (is (= [3 2] (info a :shape)))
    (is (nil? (info a :colour)))
    (is (= [6 4 24] [(commons/size a) (commons/sizeof a) (commons/bytesize a)]))
    (is (= (str a) (pr-str a)))
    (is (str/starts-with? (str a) "array([["))))

;; ---- ops -------------------------------------------------------------------------------------------

(deftest mm-is-a-product-with-gradients-of-every-order
  (let [a (nd/array [[1.0 -2.0 0.5] [0.25 3.0 -1.0]])
        b (nd/array [[2.0 1.0] [-1.5 0.5] [1.0 4.0]])]
    (is (nd/allclose (nd/matmul a b) (neanderthal/mm a b)))
    (is (nd/allclose (nd/matmul (nd/T b) (nd/T a)) (neanderthal/mm (nd/T b) (nd/T a))))
    (is (= :float32 (nd/dtype (neanderthal/mm (nd/ones [2 2] {:dtype :float32}) (nd/ones [2 2] {:dtype :float32})))))
    (is (= [[1.0]] (nd/tolist (neanderthal/mm [[1.0 0.0]] [[1.0] [5.0]]))))
    (is (= [0 2] (nd/shape (neanderthal/mm (nd/zeros [0 3]) b))))
    (is (= [[0.0 0.0] [0.0 0.0]] (nd/tolist (neanderthal/mm (nd/zeros [2 0]) (nd/zeros [0 2])))))
    (is (:pass? (check/gradcheck neanderthal/mm [a b])))
    (is (:pass? (check/gradgradcheck neanderthal/mm [a b])))
    (is (:pass? (check/gradcheck (fn [a] (neanderthal/mm a (nd/exp (nd/T a)))) [a])))
    (testing "forward mode"
      (let [[y t] (nd/jvp #(neanderthal/mm % b) [a] [(nd/ones-like a)])]
        (is (nd/allclose (nd/matmul a b) y))
        (is (nd/allclose (nd/matmul (nd/ones-like a) b) t))))
    (testing "wrong arguments"
      (is (thrown-with-msg? ShapeException #"\[2 3\] and \[2 3\]" (neanderthal/mm a a)))
      (is (thrown? ShapeException (neanderthal/mm a (nd/ones [3]))))
      (is (thrown-with-msg? DTypeException #"float64 and float32"
                            (neanderthal/mm a (nd/astype b :float32))))
      (is (thrown? DTypeException (neanderthal/mm [[1]] [[2]]))))))

(deftest mm-is-what-neanderthal-computes
  (let [calls (atom 0)
        mm! n/mm!]
    (with-redefs [n/mm! (fn [& args] (swap! calls inc) (apply mm! args))]
      ((nd/grad #(nd/sum (neanderthal/mm % %))) (nd/ones [2 2])))
    (is (= 3 @calls) "one product forward, two backward")))

(deftest functions-take-and-give-arrays
  (is (= 5.0 (nd/item ((neanderthal/function n/nrm2) (nd/array [3.0 4.0])))))
  (is (= [5.0 8.0] (nd/tolist ((neanderthal/function n/axpy) 2.0 (nd/array [2.0 3.0]) (nd/array [1.0 2.0])))))
  (is (= [5.0 8.0] (nd/tolist ((neanderthal/function n/axpy) (nd/array 2.0) (nd/array [2.0 3.0]) (nd/array [1.0 2.0]))))
      "a 0-d array is a number")
  (is (= {:sum 3.0 :rows [[1.0] [2.0]]}
         (-> ((neanderthal/function (fn [x k] {:sum (n/sum x) :rows [(n/subvector x 0 k) (n/subvector x k 1)]}))
              (nd/array [1.0 2.0]) 1)
             (update :sum nd/item)
             (update :rows #(mapv nd/tolist %)))))
  (is (thrown? ShapeException ((neanderthal/function identity) (nd/array [[[1.0]]])))))

(defn- released? [^Block x]
  (.isNull ^Pointer (.buffer x)))

(deftest functions-release-what-they-got-and-returned
  (let [seen (atom [])
        spy (fn [x] (swap! seen conj x) x)]
    ((neanderthal/function (fn [x y] (spy x) (spy y) [(spy (n/copy x)) x]))
     (nd/array [1.0]) (nd/array [2.0]))
    (is (= 3 (count @seen)))
    (is (every? released? @seen)))
  (let [seen (atom nil)]
    (is (thrown-with-msg? IllegalStateException #"no"
                          ((neanderthal/function (fn [x] (reset! seen x) (throw (IllegalStateException. "no"))))
                           (nd/array [1.0]))))
    (is (released? @seen))))

(deftest a-function-without-a-rule-does-not-lose-gradients-silently
  (let [f (neanderthal/function n/copy)
        x (nd/array [1.0 2.0] {:requires-grad true})]
    (is (thrown-with-msg? GraphException #"custom-vjp" (f x)))
    (is (= [1.0 2.0] (nd/tolist (f (nd/detach x)))))
    (is (= [1.0 2.0] (nd/tolist (nd/no-grad (f x)))))
    (is (thrown? GraphException (nd/jvp f [(nd/array [1.0])] [(nd/array [1.0])])))
    (is (thrown-with-msg? GraphException #"examples" ((nd/vmap f) (nd/ones [2 3]))))))

(deftest a-rule-makes-any-function-an-op
  (let [tanh (nd/custom-vjp (neanderthal/function vect-math/tanh)
                            (fn [_ y g] [(nd/* g (nd/- 1 (nd/* y y)))]))
        x (nd/array [[-1.0 0.25] [0.5 2.0]])]
    (is (nd/allclose (nd/tanh x) (tanh x)))
    (is (:pass? (check/gradcheck tanh [x])))
    (is (:pass? (check/gradgradcheck tanh [x]))))
  (let [dot (nd/custom-vjp (neanderthal/function n/dot) (fn [[x y] _ g] [(nd/* g y) (nd/* g x)]))]
    (is (:pass? (check/gradcheck dot [(nd/array [1.0 2.0]) (nd/array [3.0 -4.0])])))))

;; ---- engines -----------------------------------------------------------------------------------------

(defn- with-engine-names [names f]
  (let [before (System/setProperty "ndgrad.test.engines" names)]
    (try (f)
         (finally (if before
                    (System/setProperty "ndgrad.test.engines" before)
                    (System/clearProperty "ndgrad.test.engines"))))))

(deftest the-engine-passes-the-tests-of-all-engines
  (doseq [test-class ["ndgrad.blas.BlasTest" "ndgrad.op.EnginesTest"]
          :let [outcomes (with-engine-names "neanderthal"
                           #(#'test-main/run-suite {:kind :junit, :name test-class}))]]
    (is (seq outcomes))
    (is (= {} (into {} (remove #(= #{:pass} (val %))) outcomes)))))

(deftest the-engine-can-be-chosen
  (let [a (nd/array [[1.0 2.0] [3.0 4.0]])
        calls (atom 0)
        mm! n/mm!]
    (with-redefs [n/mm! (fn [& args] (swap! calls inc) (apply mm! args))]
      (is (= [[7.0 10.0] [15.0 22.0]] (nd/tolist (Engines/with "neanderthal" #(nd/matmul a a)))))
      (is (= 1 @calls))
      (nd/matmul a a)
      (is (= 1 @calls)))
    (is (some #(and (= "neanderthal" (:name %)) (:available %)) (:engines (nd/doctor))))))

(deftest an-engine-over-other-factories
  (require 'uncomplicate.neanderthal.internal.cpp.openblas.factory)
  (let [v #(deref (ns-resolve 'uncomplicate.neanderthal.internal.cpp.openblas.factory %))
        a (nd/array [[1.0 2.0] [3.0 4.0]])]
    (neanderthal/register-engine! "neanderthal-openblas"
                                  {:float32 (v 'openblas-float), :float64 (v 'openblas-double)
                                   :threading! (v 'threading!)})
    (is (= [[7.0 10.0] [15.0 22.0]] (nd/tolist (Engines/with "neanderthal-openblas" #(nd/matmul a a)))))
    (with-engine-names "neanderthal-openblas"
      #(is (every? #{#{:pass}}
                   (vals (#'test-main/run-suite {:kind :junit, :name "ndgrad.op.EnginesTest"})))))))

;; ---- one MKL -----------------------------------------------------------------------------------------

(def ^:private one-mkl
  "Loads both libraries, the one that is named first, multiplies with both, and prints the addresses of cblas_dgemm: in
  the library of ndgrad, and as JavaCPP's wrapper of MKL sees it."
  '(do
     (import '(java.lang.foreign Arena SymbolLookup) '(java.nio.file Files Path) '(ndgrad.blas Engines))
     (defn mapped [stem]
       (let [bytes (with-open [in (java.io.FileInputStream. "/proc/self/maps")] (.readAllBytes in))]
         (distinct (re-seq (re-pattern (str "/\\S*/" stem "\\S*")) (String. bytes)))))
     (defn dgemm [file]
       (.address (.get (.find (SymbolLookup/libraryLookup (Path/of file (into-array String [])) (Arena/global))
                              "cblas_dgemm"))))
     (defn ndgrad [] (require 'ndgrad.core)
       (Engines/with "mkl" (fn [] ((resolve 'ndgrad.core/matmul) [[1.0 2.0] [3.0 4.0]] [[1.0 2.0] [3.0 4.0]]))))
     (defn neanderthal [] (require 'uncomplicate.neanderthal.native 'uncomplicate.neanderthal.core)
       (let [a ((resolve 'uncomplicate.neanderthal.native/dge) 2 2 [1 3 2 4])]
         ((resolve 'uncomplicate.neanderthal.core/mm) a a)))
     (run! (fn [load] ((resolve load))) order)
     (println :products (= [[7.0 10.0] [15.0 22.0]] ((resolve 'ndgrad.core/tolist) (ndgrad)))
              (pr-str (seq (neanderthal))))
     (println :same (= (dgemm (.path (Engines/get "mkl"))) (dgemm (first (mapped "libjnimkl_rt")))))
     (println :loaded (count (mapped "libmkl_rt")) (count (mapped "libmkl_core")) (count (mapped "libiomp5")))
     (shutdown-agents)))

(defn- delete-all [^File file]
  (run! #(.delete ^File %) (reverse (file-seq file))))

(deftest one-mkl-in-the-process
  (if-not (.exists (io/file "/proc/self/maps"))
    (skip "the libraries of a process can be listed on Linux only")
    (let [empty-dir (.toFile (java.nio.file.Files/createTempDirectory
                              "ndgrad" (make-array java.nio.file.attribute.FileAttribute 0)))]
      (try
        (doseq [[order flags] {'[ndgrad neanderthal] []
                               '[neanderthal ndgrad] []
                               ;; when nobody has unpacked anything yet
                               '[ndgrad neanderthal ndgrad]
                               [(str "-Dndgrad.cache=" (io/file empty-dir "ndgrad"))
                                (str "-Dorg.bytedeco.javacpp.cachedir=" (io/file empty-dir "javacpp"))]}
                :let [{:keys [exit out err]}
                      (java (class-path) flags (str "(def order '" order ")" (pr-str one-mkl)))]]
          (testing (str order flags)
            (is (zero? exit) err)
            (is (= [":products true ((7.0 15.0) (10.0 22.0))" ":same true" ":loaded 1 1 1"]
                   (take-last 3 (str/split-lines out))))))
        (finally (delete-all empty-dir))))))
